"""Times the gradient steps of the default recipe, in this package, in JAX and in PyTorch, side by side.

    python benchmarks/compare.py --out results/benchmarks/compare.jsonl

Everything runs in one process on one core (`--threads 2`: on two). First every library takes the same steps from the
same weights, and the losses must agree. Then the libraries take turns, round after round; the medians count, in CPU
seconds. Needs `benchmarks/requirements.txt` beside the package's own requirements; a library that is not installed is
left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Mean losses agree within this share of them. Rounding, and where Adam adds its epsilon, count more with every step.
AGREE = 1e-2
# What the recipe does in an update round.
ROUND = ("discriminator", "learn", "model", "plan 20")
PEERS = {"jax": ("peers.in_jax", "InJax"), "torch": ("peers.in_torch", "InTorch")}


def main() -> None:
    """Checks, times, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30, help="gradient steps of one update, as in the recipe")
    parser.add_argument("--rounds", type=int, default=7, help="of which the medians count")
    parser.add_argument("--core", type=int, default=0, help="the one that everything runs on, or the first of two")
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1, help="of this package, each with a core")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    os.sched_setaffinity(0, range(options.core, options.core + options.threads))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    from mgail_dyna import runtime

    runtime.import_tensorflow(options.threads)
    from workload import Workload

    workload = Workload(options.steps)
    weights = workload.weights()
    made: dict[str, Any] = {"ours": workload}
    for name, (module, kind) in PEERS.items():
        try:
            made[name] = getattr(import_module(module), kind)(workload, weights)
        except ModuleNotFoundError as missing:
            print(f"{name} is left out: {missing}")
    sides = {name: side.updates() for name, side in made.items()}
    first = {name: _first_calls(sides[name], side.reset) for name, side in made.items()}
    _check({side: {piece: loss for piece, (loss, _) in calls.items()} for side, calls in first.items()})
    seconds, wall = _rounds(sides, options.rounds)
    products = _rounds({"products": _products(workload)}, options.rounds)[0]["products"]
    table = {
        "command": " ".join(["python benchmarks/compare.py", *sys.argv[1:]]),
        "machine": platform.processor() or platform.machine(),
        "versions": {name: metadata.version(name) for name in ("tensorflow", *sides) if name != "ours"},
        "gradient_steps": options.steps,
        "cpu_seconds": seconds,
        "wall_seconds": wall,
        "first_call_cpu_seconds": {s: {p: round(t, 2) for p, (_, t) in calls.items()} for s, calls in first.items()},
        "products_cpu_seconds": products,
        "acting": _acting(options.rounds),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(_text(table))
    if options.out:
        options.out.write_text(json.dumps(table) + "\n")


def _first_calls(updates: dict[str, Callable[[], float]], reset: Callable[[], None]) -> dict[str, tuple[float, float]]:
    """The loss of every update's first call, from the same weights, and its CPU seconds."""
    calls = {}
    for piece, update in updates.items():
        reset()
        start = time.process_time()
        calls[piece] = update(), time.process_time() - start
    return calls


def _check(losses: dict[str, dict[str, float]]) -> None:
    for side, found in losses.items():
        for piece, loss in found.items():
            wanted = losses["ours"][piece]
            if abs(loss - wanted) > AGREE * max(abs(wanted), 1e-2):
                sys.exit(f"{piece}: {side} computes {loss:.6f}, ours {wanted:.6f}: they do not do the same")


Seconds = dict[str, dict[str, float]]


def _rounds(sides: dict[str, dict[str, Callable[[], Any]]], rounds: int) -> tuple[Seconds, Seconds]:
    """Median CPU and wall seconds of every piece; in every round each side takes its turn at each piece."""
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for piece in next(iter(sides.values())):
            for side, updates in sides.items():
                cpu, wall = time.process_time(), time.perf_counter()
                updates[piece]()
                found = time.process_time() - cpu, time.perf_counter() - wall
                taken.setdefault((side, piece), []).append(found)

    def medians(place: int) -> Seconds:
        return {
            side: {piece: round(median(each[place] for each in taken[side, piece]), 4) for piece in updates}
            for side, updates in sides.items()
        }

    return medians(0), medians(1)


def _products(workload: Any) -> dict[str, Callable[[], None]]:
    """The matrix products alone of planning, forwards and backwards, by NumPy's BLAS."""
    import numpy as np

    config, (size, actions) = workload.config, workload.sizes
    batch, units = config.plan.batch, config.dynamics.units
    policy = [size, *config.policy.hidden, actions]
    judge = [size + actions, size + actions, *config.discriminator.hidden, 1]
    fixed = [(size, units), (units, 3 * units), (units, 3 * units), (2 * units, units), (actions, units)]
    fixed += [(units, units), (units, units), (units, size), *itertools.pairwise(judge)]
    rng = np.random.default_rng(0)

    def ready(shape: tuple[int, int], trained: bool) -> list[tuple[Any, Any]]:
        inward, outward = (rng.standard_normal((batch, width), np.float32) for width in shape)
        kernel = rng.standard_normal(shape, np.float32)
        back = [(np.ascontiguousarray(inward.T), outward)] if trained else []
        return [(inward, kernel), (outward, np.ascontiguousarray(kernel.T)), *back]

    trained = list(itertools.pairwise(policy))
    pairs = [pair for shape in fixed for pair in ready(shape, False)]
    pairs += [pair for shape in trained for pair in ready(shape, True)]

    def multiplied(length: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(workload.steps * length):
                for left, right in pairs:
                    left @ right

        return run

    return {f"plan {length}": multiplied(length) for length in (10, 20, 50)}


def _acting(rounds: int) -> dict[str, dict[str, float]]:
    """CPU milliseconds of an env step: by the policy, by the environment alone, and with only the policy's matrix
    products in between, the least that a policy in NumPy can take."""
    from mgail_dyna.environments.make import make_env
    from mgail_dyna.environments.rollout import play_episode
    from mgail_dyna.runs.policies import load_policy

    found: dict[str, dict[str, float]] = {}
    for name, env_id in (("cartpole", "CartPole-v1"), ("hopper", "Hopper-v5"), ("halfcheetah", "HalfCheetah-v5")):
        policy, env = load_policy(name), make_env(env_id, 1_000)
        acting, alone, least = [], [], []
        for seed in range(rounds):
            start = time.process_time()
            episode = play_episode(env, policy, seed)
            acting.append((time.process_time() - start) / len(episode))
            env.reset(seed=seed)
            start = time.process_time()
            for action in episode.actions:
                env.step(action)
            alone.append((time.process_time() - start) / len(episode))
            env.reset(seed=seed)
            start = time.process_time()
            for action, hidden in zip(episode.actions, episode.observations, strict=False):
                for kernel, _ in policy.layers:
                    hidden = hidden.dot(kernel)
                env.step(action)
            least.append((time.process_time() - start) / len(episode))
        sides = {"acting": acting, "environment": alone, "with matrix products": least}
        found[name] = {side: round(1_000 * median(times), 4) for side, times in sides.items()}
    return found


def _text(table: dict[str, Any]) -> str:
    ours = table["cpu_seconds"]["ours"]
    others = [side for side in table["cpu_seconds"] if side != "ours"]
    lines = [f"CPU ms of {table['gradient_steps']} gradient steps; in brackets ours as a share of theirs", ""]
    lines += ["piece".ljust(16) + "".join(side.rjust(18) for side in ("ours", *others, "matrix products"))]
    for piece, seconds in ours.items():
        cells = [f"{1000 * seconds:.0f}"]
        for column in [*(table["cpu_seconds"][side] for side in others), table["products_cpu_seconds"]]:
            cells.append(f"{1000 * column[piece]:.0f} ({seconds / column[piece]:.2f})" if piece in column else "")
        lines.append(piece.ljust(16) + "".join(cell.rjust(18) for cell in cells))
    cpu, wall = (sum(table[kind]["ours"][piece] for piece in ROUND) for kind in ("cpu_seconds", "wall_seconds"))
    lines += ["", f"a round of ours ({', '.join(ROUND)}): {wall:.2f} s, {cpu:.2f} CPU s"]
    lines += ["", "CPU ms of 1,000 env steps; in brackets as a share of the environment's own speed"]
    for name, found in table["acting"].items():
        cells = [f"{side} {1000 * ms:.0f} ({found['environment'] / ms:.2f})" for side, ms in found.items()]
        lines.append(name.ljust(16) + ", ".join(cells))
    first = {side: sum(pieces.values()) for side, pieces in table["first_call_cpu_seconds"].items()}
    lines += ["", "first calls, CPU s: " + ", ".join(f"{side} {seconds:.1f}" for side, seconds in first.items())]
    return "\n".join([*lines, f"peak memory {table['peak_memory_mb']:,} MB"])


if __name__ == "__main__":
    main()
