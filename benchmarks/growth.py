"""How the cost of an update round grows with plan length, batch, state size, demonstrations and replay.

    python benchmarks/growth.py --out results/benchmarks/growth.jsonl

prints a table and writes it. Every row changes one size of the default recipe on HalfCheetah's sizes and gives the
median CPU seconds of a round (discriminator, learning, model and planning, 30 gradient steps each) on one core, or,
for demonstrations and replay, of drawing its minibatches, and the memory they take. Last, several processes make rounds
side by side on all cores: seconds of wall time a round. `--plot FILE` draws it.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
STEPS = 30
PLAN_LENGTHS = (5, 10, 20, 50, 100)
BATCHES = (16, 64, 256, 1024)
STATE_SIZES = (4, 17, 105, 376)
MEMBERS = (1, 2, 4, 7)
DEMONSTRATIONS = (1, 10, 100, 1000)
REPLAYS = (10_000, 100_000, 1_000_000, 10_000_000)
COPIES = (1, 2, 4, 8)
EPISODE = 1_000


def main() -> None:
    """Times, prints, writes and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians count")
    parser.add_argument("--core", type=int, default=0, help="the one that everything runs on")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--plot", type=Path, help="picture")
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {options.core})
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # every size is a graph of its own, as it should be
    from workload import Workload

    def growth(name: str, change: Callable[[int], dict[str, Any]], sizes: tuple[int, ...]) -> dict[int, float]:
        found = {}
        for size in sizes:
            sizes_of = change(size)
            length = sizes_of.pop("length", 20)
            found[size] = _round(Workload(STEPS, **sizes_of).updates((length,)), options.rounds)
            print(f"{name} {size:>6,}: {found[size]:.2f} s a round", flush=True)
        return found

    rounds = {
        "plan length": growth("plan length", lambda n: {"length": n}, PLAN_LENGTHS),
        "batch": growth("batch", lambda n: {"batch": n}, BATCHES),
        "state size": growth("state size", lambda n: {"size": n}, STATE_SIZES),
        "members of the model": growth("members", lambda n: {"members": n}, MEMBERS),
    }
    table = {
        "command": f"python benchmarks/growth.py --rounds {options.rounds}",
        "gradient_steps": STEPS,
        "cpu_seconds_of_a_round": rounds,
        "demonstrations": {n: _demonstrations(n) for n in DEMONSTRATIONS},
        "replay": {n: _replay(n, options.rounds) for n in REPLAYS},
        "wall_seconds_of_a_round_side_by_side": {n: _side_by_side(n, options.rounds, cores) for n in COPIES},
    }
    for name in ("demonstrations", "replay"):
        for size, found in table[name].items():
            print(f"{name} {size:>12,}: " + ", ".join(f"{what} {number:.3g}" for what, number in found.items()))
    for copies, seconds in table["wall_seconds_of_a_round_side_by_side"].items():
        print(f"side by side {copies}: {seconds:.2f} s of wall time a round")
    if options.out:
        options.out.write_text(json.dumps(table) + "\n")
    if options.plot:
        _draw(rounds, options.plot)


def _round(updates: dict[str, Callable[[], float]], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        start = time.process_time()
        for update in updates.values():
            update()
        taken.append(time.process_time() - start)
    return round(median(taken[1:]), 3)  # the first one compiles


def _side_by_side(copies: int, rounds: int, cores: set[int]) -> float:
    """Wall seconds of a round where so many processes, one thread each, make rounds at once on `cores`."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(copies)
    with context.Pool(copies, _wait_for, (ready, cores)) as pool:
        return round(median(pool.map(_wall_of_a_round, [rounds] * copies, chunksize=1)), 3)


_READY: list[Any] = []


def _wait_for(ready: Any, cores: set[int]) -> None:
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = "1"
    _READY[:] = [ready]


def _wall_of_a_round(rounds: int) -> float:
    from workload import Workload

    updates = Workload(STEPS).updates((20,))
    for update in updates.values():  # compiles
        update()
    _READY[0].wait()
    start = time.perf_counter()
    for _ in range(rounds):
        for update in updates.values():
            update()
    return (time.perf_counter() - start) / rounds


def _filled(transitions: int, capacity: int | None) -> Any:
    from mgail_dyna.replay import Replay

    replay, rng = Replay(17, 6, 6, capacity), np.random.default_rng(0)
    states, actions = rng.standard_normal((EPISODE + 1, 17), np.float32), rng.standard_normal((EPISODE, 6), np.float32)
    for _ in range(transitions // EPISODE):
        replay.add(states, actions, actions)
    return replay


def _replay(transitions: int, rounds: int) -> dict[str, float]:
    """CPU seconds of a round's draws, and the memory replay holds."""
    replay, rng, taken = _filled(transitions, None), np.random.default_rng(0), []
    for _ in range(rounds):
        start = time.process_time()
        replay.windows(rng, (STEPS, 64), 5, 4, None)
        replay.pairs(rng, (STEPS, 256))
        taken.append(time.process_time() - start)
    held = sum(array.nbytes for array in vars(replay).values() if isinstance(array, np.ndarray))
    held += sum(array.nbytes for array in replay._columns.values())
    return {"seconds_to_draw": round(median(taken), 4), "megabytes": round(held / 1e6, 1)}


def _demonstrations(count: int) -> dict[str, float]:
    """CPU seconds until distances to `count` demonstrations can be taken, and of one episode's distances."""
    import gymnasium as gym

    from mgail_dyna.algorithms.straying import Straying
    from mgail_dyna.demonstrations.dataset import Demonstrations
    from mgail_dyna.networks.numpy_policy import NumpyPolicy
    from mgail_dyna.types import ActionSpec, Trajectory

    rng, box = np.random.default_rng(0), np.ones(6, np.float32)
    episodes = [
        Trajectory(
            observations=rng.standard_normal((EPISODE + 1, 17), np.float32),
            actions=rng.uniform(-1, 1, (EPISODE, 6)).astype(np.float32),
            rewards=np.ones(EPISODE),
            terminated=False,
            truncated=True,
        )
        for _ in range(count)
    ]
    spaces = (gym.spaces.Box(-np.inf, np.inf, (17,), np.float32), gym.spaces.Box(-box, box, dtype=np.float32))
    weights = {"kernel_0": np.zeros((17, 6), np.float32), "bias_0": np.zeros(6, np.float32), "log_std": -box}
    policy = NumpyPolicy(ActionSpec("continuous", 6, -box, box), weights)
    start = time.process_time()
    straying = Straying(Demonstrations(episodes, *spaces), policy, rng)
    ready = time.process_time()
    straying.near(policy.normalise(episodes[0].observations[:-1]))
    return {
        "seconds_to_prepare": round(ready - start, 3),
        "seconds_an_episode": round(time.process_time() - ready, 3),
    }


def _draw(rounds: dict[str, dict[int, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3), layout="constrained")
    for axes, (name, found) in zip(figure.subplots(1, len(rounds), sharey=True), rounds.items(), strict=True):
        axes.loglog(list(found), list(found.values()), marker="o")
        axes.set(xlabel=name, xticks=list(found), xticklabels=list(found))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("CPU seconds of a round")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
