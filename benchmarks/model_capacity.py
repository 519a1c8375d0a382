"""How far the dynamics model errs 1, 10 and 50 steps ahead, against its size (the paper, sec. 5: Hopper's capacity).

    python benchmarks/model_capacity.py --out results/benchmarks/model_capacity.jsonl --plot docs/assets/figure9.png

The shipped expert plays with little, some and much action noise, as an agent that learns does. A model of each
size learns from these steps and from three demonstrations, and predicts other episodes of the same kind. Errors are
root mean squares in standard deviations of the demonstrated states. Every line of the file is one task, size and seed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASKS = ("hopper", "halfcheetah", "walker2d")
# Units, members, and whether the model has no memory.
SIZES = (
    *((units, 1, False) for units in (50, 100, 200, 400)),
    *((100, members, False) for members in (2, 4)),
    (100, 1, True),
)
MODEL = ("units", "members", "memoryless")
HORIZONS = (10, 50)
NOISES = (0.1, 0.3, 1.0)
# Steps played with each noise, for learning and for the test.
STEPS, DEMONSTRATIONS = 3_000, 3
GRADIENT_STEPS, AT_ONCE, TESTED = 3_000, 100, 512
# Marked on the axis of the figure.
ERRORS = (0.03, 0.1, 0.3, 1.0, 3.0)


def main() -> None:
    """Trains, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0, help="the one that everything runs on")
    parser.add_argument("--out", type=Path, help="JSON lines; those that it has are not done again")
    parser.add_argument("--plot", type=Path, help="picture (figure 9)")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    from mgail_dyna import runtime

    runtime.import_tensorflow(1)
    lines = options.out.read_text().splitlines() if options.out and options.out.exists() else []
    done = {tuple(json.loads(line)[key] for key in ("task", "seed", *MODEL)) for line in lines}
    for task in options.tasks:
        for row in _rows(task, options.seeds, done):
            print(json.dumps(row), flush=True)
            lines.append(json.dumps(row))
            if options.out:
                options.out.write_text("\n".join(lines) + "\n")
    if options.plot:
        draw([json.loads(line) for line in lines]).savefig(options.plot)


def _rows(task: str, seeds: int, done: set[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for seed in range(seeds):
        left = [size for size in SIZES if (task, seed, *size) not in done]
        data = _data(task, seed) if left else None
        for size in left:
            model = dict(zip(MODEL, size, strict=True))
            yield {"task": task, "seed": seed, **model, **_errors(data, model, seed)}


def _data(task: str, seed: int) -> Any:
    """Demonstrations, and played steps to learn from and to predict, as the networks see them."""
    from mgail_dyna import load_demonstrations
    from mgail_dyna.algorithms.networks import add_trajectory, demo_replay
    from mgail_dyna.demonstrations.dataset import subset
    from mgail_dyna.environments.make import make_env
    from mgail_dyna.environments.rollout import play_episode
    from mgail_dyna.networks.numpy_policy import NumpyPolicy
    from mgail_dyna.normalization import STATE_LIMIT, statistics
    from mgail_dyna.replay import Replay

    demos = subset(load_demonstrations(task), DEMONSTRATIONS, 1)
    expert, rng, action = demos.policy, np.random.default_rng([seed, 0]), demos.action
    env, size = make_env(demos.env_id), demos.observation_space.shape[0]
    sees = NumpyPolicy(action, expert.weights, expert.activation, *statistics(demos.observations), STATE_LIMIT)
    played = [Replay(size, action.size, action.size) for _ in range(2)]
    for number, replay in enumerate(played):
        for noise in NOISES:
            deviation = np.asarray(noise * action.scale / expert.spec.scale, np.float32)  # in the agent's unit
            expert.load({**expert.weights, "log_std": np.log(deviation) * np.ones(action.size, np.float32)})
            until, episode = replay.steps + STEPS, 0
            while replay.steps < until:
                start = int(1_000_000 * (1 + number) + 100_000 * seed + 10_000 * noise + episode)
                trajectory = play_episode(env, expert, start, rng, limit=until - replay.steps)
                add_trajectory(replay, sees, trajectory)
                episode += 1
    return (demo_replay(demos, sees), *played)


def _errors(data: Any, model: dict[str, Any], seed: int) -> dict[str, float]:
    from mgail_dyna.algorithms.networks import build_dynamics
    from mgail_dyna.config.imitation import DynamicsConfig
    from mgail_dyna.learners.dynamics import DynamicsLearner
    from mgail_dyna.replay import mixed_windows

    demos, learned, tested = data
    config, rng, began = DynamicsConfig(**model), np.random.default_rng([seed, 1]), time.process_time()
    update = DynamicsLearner(build_dynamics(demos, config, seed), config)
    update.scale(demos, learned)
    for _ in range(GRADIENT_STEPS // AT_ONCE):
        shape = (AT_ONCE, config.batch)
        update(mixed_windows(demos, learned, 0.5, rng, shape, config.length, config.burn_in, None), 1.0)
    seconds = time.process_time() - began
    found: dict[str, float] = {}
    for horizon in HORIZONS:
        found |= update.errors(tested.windows(rng, (1, TESTED), horizon, config.burn_in))
    return {**{name: round(value, 4) for name, value in found.items()}, "cpu_seconds": round(seconds, 1)}


def _named(units: int, members: int, memoryless: bool) -> str:
    return (f"{members} × " if members > 1 else "") + f"{units}" + (",\nno memory" if memoryless else "")


def read(path: Path) -> list[dict[str, Any]]:
    """What `main` wrote; for notebooks."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def draw(rows: list[dict[str, Any]]) -> Figure:
    """A panel for each task: the error of every size, 1, 10 and 50 steps ahead."""
    from matplotlib.figure import Figure

    from mgail_dyna.config.presets import environment_title
    from mgail_dyna.experiments.figures.style import explain, looks, tidy
    from mgail_dyna.experiments.statistics import estimate, spread_note

    tasks, ahead = list(dict.fromkeys(row["task"] for row in rows)), (1, *HORIZONS)
    figure = Figure(figsize=(4.4 * len(tasks), 4.4), dpi=110, layout="constrained")
    panels, spreads = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0], []
    for axes, task in zip(panels, tasks, strict=True):
        sizes = {
            size: [row for row in rows if row["task"] == task and tuple(row[key] for key in MODEL) == size]
            for size in SIZES
        }
        for steps, look in zip(ahead, looks(map(str, ahead)), strict=True):
            found = [estimate([[row[f"error_{steps}"] for row in of]]) if of else None for of in sizes.values()]
            places = [place for place, each in enumerate(found) if each is not None]
            bars = [each for each in found if each is not None]
            spreads += [each.spread for each in bars]
            ends = np.array([(each.value - each.low, each.high - each.value) for each in bars]).T
            axes.errorbar(
                places,
                [float(each.value) for each in bars],
                np.nan_to_num(ends),
                label=f"{steps} step{'s' if steps > 1 else ''} ahead",
                color=look.colour,
                marker=look.marker,
                linestyle="none",
                capsize=3,
            )
        axes.set_title(environment_title(task), loc="left", fontsize=10)
        axes.set_xticks(range(len(SIZES)), [_named(*size) for size in SIZES], fontsize=8)
        axes.set_xlabel("units, or members × units", fontsize=9)
        axes.set_yscale("log")
        tidy(axes)
    panels[0].set_yticks(ERRORS, [f"{each:g}" for each in ERRORS])
    panels[0].set_ylabel("error, standard deviations of a state", fontsize=9)
    explain(figure, spread_note(spreads, "bars"))
    return figure


if __name__ == "__main__":
    main()
