"""Films of a policy: the frames of an episode, as gif or mp4."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mgail_dyna.environments.make import make_env
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import load_state, save_state
from mgail_dyna.networks.numpy_policy import NumpyPolicy

Frames = list[NDArray[np.uint8]]
KIND = "a film"
# Gymnasium's name for pictures as arrays.
RENDERED = "rgb_array"
# MuJoCo's number for this kind of geom (`mjtGeom.mjGEOM_PLANE`).
MUJOCO_PLANE = 0


def can_be_filmed(env: gym.Env[Any, Any]) -> bool:
    """Whether the environment says that it renders pictures."""
    return RENDERED in (env.metadata.get("render_modes") or ())


def film_episode(
    env_id: str,
    policy: NumpyPolicy,
    steps: int,
    length: int | None,
    seed: int,
    arguments: dict[str, Any] | None = None,
    done: Callable[[], None] = lambda: None,
) -> tuple[Frames, float]:
    """Plays the policy's mean action and renders it, without a screen.

    Args:
        env_id: a Gymnasium id.
        policy: acts.
        steps: to show at most.
        length: time limit; None: the environment's own.
        seed: of the episode.
        arguments: keyword arguments of the environment.
        done: called after every step.

    Returns:
        Frames, `[height, width, 3]` each, and frames per second.

    Raises:
        UserError: this machine cannot render the environment.
    """
    if _camera(env_id, arguments) is None:
        return _play(env_id, policy, steps, length, seed, arguments, done)
    # MuJoCo's renderer and TensorFlow each bring an LLVM; a process with both crashes.
    with tempfile.TemporaryDirectory() as directory:
        given, taken = Path(directory, "given.h5"), Path(directory, "taken.h5")
        request = {"env_id": env_id, "policy": policy.state(), "steps": steps, "length": length, "seed": seed}
        save_state(given, {**request, "arguments": arguments}, KIND)
        call = [sys.executable, "-P", "-m", "mgail_dyna.environments.video", str(given), str(taken)]
        environment = {**os.environ, "PYTHONPATH": _search_path()}
        with (
            Path(directory, "said").open("w+") as said,
            subprocess.Popen(call, env=environment, stdout=subprocess.PIPE, stderr=said, bufsize=0) as process,
        ):
            assert process.stdout is not None
            while process.stdout.read(1):  # a byte a frame
                done()
            if status := process.wait():
                said.seek(0)
                words = said.read().strip() or f"its process ended with {status}"
                raise UserError(words.splitlines()[-1])
        film = load_state(taken, KIND)
    return list(film["frames"]), film["rate"]


def _search_path() -> str:
    """Where a child process looks for modules: this package first, as the current directory may hold another one."""
    here = [entry or str(Path.cwd()) for entry in sys.path]
    return os.pathsep.join([str(Path(__file__).resolve().parents[2]), *here])


def _play(
    env_id: str,
    policy: NumpyPolicy,
    steps: int,
    length: int | None,
    seed: int,
    arguments: dict[str, Any] | None,
    done: Callable[[], object],
) -> tuple[Frames, float]:
    os.environ.setdefault("MUJOCO_GL", "egl")  # renders without a screen
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # the same for pygame
    try:
        made = {**(_camera(env_id, arguments) or {}), **(arguments or {}), "render_mode": RENDERED}
        env = make_env(env_id, length, **made)
        _endless_floor(env.unwrapped)
        observation, _ = env.reset(seed=seed)
        frames: list[Any] = [env.render()]
        over = False
        while not over and len(frames) <= steps:
            observation, _, terminated, truncated, _ = env.step(policy.act(observation))
            frames.append(env.render())
            done()
            over = terminated or truncated
        env.close()
    except Exception as error:  # what the graphics stack raises differs with the driver
        if "render_mode" in str(error):
            raise UserError(f"{env_id} takes no render_mode='rgb_array', so it cannot be filmed ({error})") from error
        raise UserError(
            f"this machine cannot render {env_id} ({' '.join(str(error).split())[:200]}); "
            "MuJoCo needs EGL (Debian: libegl1 libegl-mesa0 libgl1-mesa-dri) or a screen, CartPole needs pygame"
        ) from error
    return frames, float(env.metadata.get("render_fps", 30))


def _endless_floor(env: Any) -> None:
    """Draws MuJoCo's floors without an end, so that a robot does not run off them; physics stays the same.

    A plane of size 0 is drawn endless, and its texture then repeats per metre instead of per half of the plane.
    """
    model: Any = getattr(env, "model", None)
    if not hasattr(model, "geom_type"):
        return
    model.vis.map.haze = 0.0  # no bright line at the horizon
    for plane in np.flatnonzero(model.geom_type == MUJOCO_PLANE):
        half, material = model.geom_size[plane, :2], model.geom_matid[plane]
        if half.all() and material >= 0 and not model.mat_texuniform[material]:
            model.mat_texrepeat[material] /= half
        model.geom_size[plane, :2] = 0.0


def side_by_side(films: dict[str, Frames]) -> Frames:
    """Films of one environment next to each other, each below its name; one that ends keeps its last frame.

    Args:
        films: by name, frames of the same size.

    Returns:
        Frames, `[height, number of films * width, 3]` each.
    """
    from PIL import Image, ImageDraw, ImageFont

    def named(frame: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        size = max(10, frame.shape[0] // 20)
        image = Image.fromarray(frame)
        style: dict[str, Any] = {"fill": "white", "stroke_width": size // 12, "stroke_fill": "black"}
        ImageDraw.Draw(image).text((size // 2, size // 3), name, font=ImageFont.load_default(size), **style)
        return np.asarray(image)

    longest = max(map(len, films.values()))
    return [
        np.concatenate([named(film[min(n, len(film) - 1)], name) for name, film in films.items()], axis=1)
        for n in range(longest)
    ]


def gif(frames: Frames, rate: float) -> bytes:
    """The film as a gif with half of the frames at half the size, because gifs are large."""
    import imageio.v3 as imageio

    small = [frame[::2, ::2] for frame in frames[::2]]
    return bytes(imageio.imwrite("<bytes>", small, extension=".gif", duration=2000.0 / rate, loop=0))


def mp4(frames: Frames, rate: float) -> bytes:
    """The film as mp4."""
    import imageio.v3 as imageio

    even = [frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2] for frame in frames]  # H.264 needs even sizes
    return bytes(imageio.imwrite("<bytes>", even, extension=".mp4", fps=rate, macro_block_size=1))


def _camera(env_id: str, arguments: dict[str, Any] | None) -> dict[str, Any] | None:
    """The camera that follows the robot, if the task has one; None if the task is not MuJoCo's."""
    env = make_env(env_id, **(arguments or {}))
    model: Any = getattr(env.unwrapped, "model", None)
    env.close()
    if not hasattr(model, "ncam"):
        return None
    return {"camera_name": "track"} if "track" in [model.camera(i).name for i in range(model.ncam)] else {}


def _main(given: str, taken: str) -> None:
    frames_only = os.dup(1)
    os.dup2(2, 1)  # what the environment prints is no frame
    request = load_state(Path(given), KIND)
    policy = NumpyPolicy.from_state(request.pop("policy"))
    try:
        frames, rate = _play(**request, policy=policy, done=lambda: os.write(frames_only, b"."))
    except UserError as error:
        raise SystemExit(str(error)) from error
    save_state(Path(taken), {"frames": np.stack(frames), "rate": rate}, KIND)


if __name__ == "__main__":
    _main(*sys.argv[1:])
