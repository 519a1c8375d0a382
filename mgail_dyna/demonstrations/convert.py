"""Converts demonstrations from other formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.compatibility import check_compatible, recorded_suffix
from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE, Demonstrations
from mgail_dyna.demonstrations.episodes import SKIPPING
from mgail_dyna.demonstrations.formats.minari import recorded_arguments
from mgail_dyna.demonstrations.formats.registry import read_source
from mgail_dyna.demonstrations.formats.source import LEFT_OUT, Reading, Skipped, Source, joined_note, left_out
from mgail_dyna.demonstrations.metadata import JOINED
from mgail_dyna.demonstrations.progress import watched
from mgail_dyna.demonstrations.recorded_environment import check_env_of, differing, environment_notes
from mgail_dyna.demonstrations.reference import ENDED
from mgail_dyna.demonstrations.typed import typed
from mgail_dyna.environments.make import as_fitted, fit_env, fitted_note, open_env, without_limit, wrapper_names
from mgail_dyna.environments.spaces import action_spec, parts_of
from mgail_dyna.errors import UserError, counted
from mgail_dyna.types import ActionSpec, Trajectory

# If more than this share of the steps is outside the action space, the actions have another unit.
MANY = 0.1
# Demonstrations, and notes for the user.
Converted = tuple[Demonstrations, tuple[str, ...]]
# How the note on a file without rewards begins.
NO_REWARDS = "no rewards"


def convert(
    paths: Path | Sequence[Path],
    env_id: str,
    *,
    clip_actions: bool = False,
    skip_bad_episodes: bool = False,
    env_kwargs: dict[str, Any] | None = None,
    keys: Sequence[str] = (),
) -> Converted:
    """Reads demonstrations of `env_id` in any of the formats, from one file or several, into one data set.

    Args:
        paths: a file or directory in one of the formats of `formats.registry`; or several, in order.
        env_id: their environment, which defines the spaces.
        clip_actions: clip actions to the action space, as simulators do.
        skip_bad_episodes: leave out episodes that do not fit; a note names them.
        env_kwargs: keyword arguments of the environment; None: those the files record.
        keys: names of the observations, in the order in which they are joined, for formats that have names.

    Returns:
        The demonstrations, and notes for the user.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    several = [paths] if isinstance(paths, Path) else list(paths)
    if not several:
        raise UserError("expected at least 1 file of demonstrations, found 0")
    check_env_of(env_id, several)
    found = [_one(path, env_id, clip_actions, skip_bad_episodes, env_kwargs, tuple(keys)) for path in several]
    if len(found) == 1:
        return found[0]
    return _joined(several, found)


def _one(path: Path, env_id: str, clip_actions: bool, skip_bad: bool, *asked: Any) -> Converted:
    """As `_converted`; a refusal says how many episodes --skip-bad-episodes leaves out, if that helps."""
    try:
        return _converted(path, env_id, clip_actions, skip_bad, *asked)
    except UserError as error:
        if skip_bad:
            raise
        try:
            _, notes = _converted(path, env_id, clip_actions, True, *asked)
        except UserError:
            raise error from None
        said, count = str(error).partition(SKIPPING)[0], next(note for note in notes if LEFT_OUT in note)
        raise UserError(f"{said}; --skip-bad-episodes leaves out {count.partition(LEFT_OUT)[0]} episodes") from None


def _converted(
    path: Path,
    env_id: str,
    clip_actions: bool,
    skip_bad: bool,
    asked: dict[str, Any] | None,
    keys: tuple[str, ...],
) -> Converted:
    """The demonstrations of one file, with notes."""
    kwargs = recorded_arguments(path, env_id, keys) if asked is None else asked
    env = open_env(env_id, **kwargs)
    skipped: Skipped | None = {} if skip_bad else None
    source = read_source(path, Reading(env.spec.max_episode_steps if env.spec else None, skipped, keys))
    env = fit_env(env, env_id, str(source.provenance.get(JOINED, "")))
    notes: list[str] = []
    episodes = _episodes(path, source, env, clip_actions, skipped, notes)
    if skipped:
        notes.append(left_out(skipped, len(episodes) + len(skipped)))
    if not any(episode.rewards.any() for episode in episodes.values()):
        given = any(arrays["rewards"] is not None for arrays in source.episodes.values())
        what = "every reward is 0, which counts as none" if given else NO_REWARDS
        notes.append(f"{what}: imitation needs none, but returns cannot be compared with the expert's")
    if all(episode.actions is None for episode in episodes.values()) and episodes:
        notes.append("no actions: such demonstrations are imitated with --observations-only")
    notes += _fitting(source, env)
    if source.recorded is not None:
        notes += [note.removeprefix("note: ") for note in environment_notes(source.recorded, env, env_id)]
    demos = _assembled(path, source, episodes, env, env_id, notes)
    demos = replace(demos, env_kwargs=kwargs)
    check_compatible(demos, env, str(path))
    env.close()
    return demos, tuple(notes)


def _fitting(source: Source, env: gym.Env[Any, Any]) -> list[str]:
    """Notes on what makes the episodes fit `env`, and the reader's; what observations are joined from is said once."""
    joined = str(source.provenance.get(JOINED, ""))
    fitted = (fitted_note(env, joined) or "").removeprefix("note: ")
    said = joined_note(joined) if fitted.startswith(", ".join(parts_of(joined)) + " are taken from ") else None
    return [note for note in (fitted, *source.notes) if note and note != said]


def _episodes(
    path: Path,
    source: Source,
    env: gym.Env[Any, Any],
    clip_actions: bool,
    skipped: Skipped | None,
    notes: list[str],
) -> dict[int, Trajectory]:
    """The episodes that fit the environment's actions, by their number in the file."""
    action, outside, steps, first = action_spec(env.action_space), 0, 0, ""
    episodes: dict[int, Trajectory] = {}
    changes: dict[str, int] = {}
    total = len(source.episodes)
    for number, given in watched(source.episodes.items(), total, f"checking {path.name}, episodes"):
        try:
            observations, actions = as_fitted(env, given["observations"], given["actions"])
            arrays, change = typed({**given, "observations": observations, "actions": actions}, action)
            actions = arrays["actions"]
            shape = (action.size,) if action.kind == "continuous" else ()
            fits = actions is not None and actions.shape[1:] == shape
            beyond = int(action.outside(actions).sum()) if fits else 0
            if beyond and skipped is not None and not (clip_actions and action.kind == "continuous"):
                raise ValueError(f"actions: {counted(beyond, 'step')} outside the action space")
            if clip_actions and fits and action.kind == "continuous":
                arrays["actions"] = np.clip(actions, action.low, action.high)
            if skipped is not None:
                _require_shape(arrays, env)
            episodes[number] = _trajectory(arrays)
        except ValueError as error:
            if skipped is None:
                raise UserError(f"{path}: episode {number}: {error}") from None
            skipped[number] = str(error)
            continue
        outside, steps = outside + beyond, steps + len(observations) - 1
        if beyond and not first:
            at = int(np.argmax(action.outside(actions)))
            first = f", first {np.array2string(actions[at], precision=4)} in episode {number}, step {at}"
        if change is not None:
            changes[change] = changes.get(change, 0) + 1
    if outside:
        found = f"{counted(outside, 'step')} outside, of {steps:,}{first}"
        notes.append(_clipped(path, env, clip_actions, found + _counted(action, episodes), outside / steps))
    notes += [f"actions: {change} in {counted(count, 'episode')}" for change, count in changes.items()]
    return episodes


def _clipped(path: Path, env: gym.Env[Any, Any], clip_actions: bool, found: str, share: float) -> str:
    """A note on actions outside the action space, `found` in words; refuses them unless they are clipped."""
    discrete = isinstance(env.action_space, gym.spaces.Discrete)
    doubt = "; are they in another unit?" if share > MANY else ""
    if clip_actions and not discrete:
        return f"actions clipped to the action space: {found}{doubt}"
    remedy = "" if discrete else f"{doubt}; --clip-actions clips them to it"
    wanted = f"expected all inside the action space {env.action_space}"
    raise UserError(f"{path}: actions: {wanted}, found {found}{remedy}")


def _counted(action: ActionSpec, episodes: Mapping[int, Trajectory]) -> str:
    """What to do about choices that are counted from one number higher than the environment's."""
    if action.kind == "continuous":
        return ""
    taken = np.concatenate([episode.actions for episode in episodes.values() if episode.actions is not None])
    first = action.start + 1
    if taken.min() < first or taken.max() != action.start + action.size:
        return ""
    return f"; choices seem to be counted from {first}: subtract 1 from each"


def _require_shape(arrays: dict[str, Any], env: gym.Env[Any, Any]) -> None:
    for name, space in (("observations", env.observation_space), ("actions", env.action_space)):
        if arrays[name] is not None and arrays[name].shape[1:] != space.shape:
            found = list(arrays[name].shape[1:])
            raise ValueError(f"{name}: expected shape {list(space.shape or ())} a step, found {found}")


def _trajectory(arrays: dict[str, Any]) -> Trajectory:
    for name, other in (("qpos", "qvel"), ("qvel", "qpos")):
        if arrays[name] is None and arrays[other] is not None:
            wanted = f"expected it beside {other}, as both make a simulator state"
            raise ValueError(f"{name}: {wanted}, found none; give both or neither")
    if arrays["rewards"] is None:
        arrays = {**arrays, "rewards": np.zeros(len(arrays["observations"]) - 1)}
    try:
        trajectory = Trajectory(**arrays)
    except ValueError as error:
        unknown = "; leave rewards out if they are unknown" if str(error).startswith("rewards: expected finite") else ""
        raise ValueError(f"{error}{unknown}") from None
    if len(trajectory) < SHORTEST_EPISODE:
        raise ValueError(f"expected at least {SHORTEST_EPISODE} steps, found {len(trajectory)}")
    return trajectory


def _assembled(
    path: Path, source: Source, numbered: dict[int, Trajectory], env: gym.Env[Any, Any], env_id: str, notes: list[str]
) -> Demonstrations:
    episodes, space = tuple(numbered.values()), env.observation_space
    if not episodes:
        raise UserError(f"{path}: expected at least 1 episode, found 0{f' ({notes[0]})' if notes else ''}")
    for name, expected in (("observations", space.shape), ("actions", env.action_space.shape)):
        given = [array for episode in episodes if (array := getattr(episode, name)) is not None]
        shapes = {array.shape[1:] for array in given}
        if shapes - {expected}:
            found = " and ".join(str(list(shape)) for shape in sorted(shapes))
            recorded = recorded_suffix(source.recorded) if source.recorded else ""
            raise UserError(f"{path}: {name}: expected shape {list(expected or ())} a step, found {found}{recorded}")
    assert isinstance(space, gym.spaces.Box) and isinstance(env.action_space, gym.spaces.Box | gym.spaces.Discrete)
    origin = f"{path.name}, {source.layout}"
    provenance = {"algorithm": "unknown", **source.provenance, "source": origin, "notes": notes}
    if ended := [place for place, number in enumerate(numbered) if number in source.ended]:
        provenance[ENDED] = ended
    longest, origin_demos = max(len(episode) for episode in episodes), source.recorded
    limit = (origin_demos.length if origin_demos else None) or (env.spec.max_episode_steps if env.spec else None) or 0
    if not limit:
        notes.append(without_limit(longest))
    return Demonstrations(
        episodes,
        gym.spaces.Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32),
        env.action_space,
        env_id=env_id,
        length=max(longest, limit),
        provenance=provenance,
        env_wrappers=origin_demos.env_wrappers if origin_demos else wrapper_names(env),
    )


def _joined(paths: Sequence[Path], found: Sequence[Converted]) -> Converted:
    """Several data sets of one environment as one."""
    demos = [each for each, _ in found]
    notes = [f"{path}: {note}" for path, (_, own) in zip(paths, found, strict=True) for note in own]
    _require_alike(paths, demos, [not any(note.startswith(NO_REWARDS) for note in own) for _, own in found])
    algorithms = sorted({str(each.provenance.get("algorithm", "unknown")) for each in demos})
    provenance: dict[str, Any] = {
        "algorithm": ", ".join(algorithms),
        "source": "; ".join(str(each.provenance["source"]) for each in demos),
        "notes": notes,
    }
    if JOINED in demos[0].provenance:
        provenance[JOINED] = demos[0].provenance[JOINED]
    starts = np.cumsum([0, *(len(each.trajectories) for each in demos)])
    ended = [int(s) + n for s, each in zip(starts, demos, strict=False) for n in each.provenance.get(ENDED, [])]
    if ended:
        provenance[ENDED] = ended
    trajectories = tuple(trajectory for each in demos for trajectory in each.trajectories)
    longest = max(each.length or 0 for each in demos)
    if len({each.length for each in demos}) > 1:
        lengths = ", ".join(f"{each.length:,}" for each in demos)
        notes.append(f"the time limits differ ({lengths} steps); the longest counts")
    return replace(demos[0], trajectories=trajectories, length=longest, provenance=provenance), tuple(notes)


def _require_alike(paths: Sequence[Path], demos: Sequence[Demonstrations], rewarded: Sequence[bool]) -> None:
    """Refuses data sets that cannot be one."""
    first = demos[0]
    for n, (path, other) in enumerate(zip(paths[1:], demos[1:], strict=True), 1):
        if rewarded[n] != rewarded[0]:
            having = "rewards" if rewarded[0] else "no rewards"
            raise UserError(f"{path}: expected {having}, as in {paths[0]}; convert them to data sets of their own")
        if other.has_actions != first.has_actions:
            having = "actions" if first.has_actions else "no actions"
            raise UserError(f"{path}: expected {having}, as in {paths[0]}; convert them to data sets of their own")
        for what, one, another in (
            ("keyword arguments of the environment", first.env_kwargs, other.env_kwargs),
            ("wrappers of the environment", first.env_wrappers, other.env_wrappers),
            ("parts of an observation", first.provenance.get(JOINED), other.provenance.get(JOINED)),
        ):
            if one != another:
                if isinstance(one, dict) and isinstance(another, dict):
                    one, another = differing(one, another)
                raise UserError(
                    f"{path}: {what}: expected those of {paths[0]}, {one or 'none'}, "
                    f"found {another or 'none'}; convert them to data sets of their own"
                )
