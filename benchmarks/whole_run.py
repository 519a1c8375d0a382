"""Where the CPU seconds of a whole run go.

    python benchmarks/whole_run.py --env halfcheetah --env-steps 6000 --out results/benchmarks/whole_run.jsonl

Trains with the default recipe on one core and counts the CPU seconds inside each compiled update and inside the
simulator. The first call of an update compiles it and is counted apart.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
COMPILING, OTHER = "compiling", "all else"


def main() -> None:
    """Trains, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="halfcheetah")
    parser.add_argument("--env-steps", type=int, default=6_000)
    parser.add_argument("--demonstrations", type=int, help="imitate this many; all if left out")
    parser.add_argument("--core", type=int, default=0, help="the one that everything runs on")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    os.environ["OMP_NUM_THREADS"] = "1"
    import dataclasses

    import gymnasium as gym

    import mgail_dyna
    from mgail_dyna import runtime

    runtime.import_tensorflow(1)
    imported = time.process_time()
    demos = mgail_dyna.load_demonstrations(options.env)
    config = mgail_dyna.imitation_preset("recipe", demos.env_id, "dyna")
    sizes = {"env_steps": options.env_steps, "demonstrations": options.demonstrations}
    seconds = _watched(gym.wrappers.TimeLimit)
    start = time.process_time()
    run = mgail_dyna.ImitationRun(dataclasses.replace(config, **sizes), demos, "dyna")
    for _ in run.iterate():
        pass
    total = time.process_time() - start
    seconds[OTHER] = total - sum(seconds.values())
    table = {
        "command": " ".join(["python benchmarks/whole_run.py", *sys.argv[1:]]),
        "cpu_seconds_of_import": round(imported, 1),
        "cpu_seconds": round(total, 1),
        "share": {name: round(spent / total, 4) for name, spent in seconds.most_common()},
    }
    for name, spent in seconds.most_common():
        print(f"{name:<28}{spent:8.1f} s {100 * spent / total:6.1f}%")
    kept = total - seconds[COMPILING]
    print(f"in updates or the simulator, compiling apart: {100 * (1 - seconds[OTHER] / kept):.0f}% of {kept:.0f} CPU s")
    if options.out:
        options.out.write_text(json.dumps(table) + "\n")


def _watched(environment: Any) -> Counter[str]:
    """CPU seconds by what they are spent on, counted from now on."""
    from mgail_dyna.learners.bc import BCLearner
    from mgail_dyna.learners.discriminator import DiscriminatorLearner
    from mgail_dyna.learners.dynamics import DynamicsLearner
    from mgail_dyna.learners.policy import PolicyLearner

    seconds: Counter[str] = Counter()

    def watch(kind: Any, method: str, name: str, compiles: bool = True) -> None:
        inside: Callable[..., Any] = getattr(kind, method)
        seen: set[str] = set()

        @functools.wraps(inside)
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return inside(*arguments, **named)
            finally:
                first = compiles and method not in seen
                seen.add(method)
                seconds[COMPILING if first else name] += time.process_time() - began

        setattr(kind, method, timed)

    watch(PolicyLearner, "plan", "planning (Eq. 8)")
    watch(PolicyLearner, "learn", "learning (Eq. 7)")
    watch(PolicyLearner, "imagine", "imagined pairs for D")
    watch(DiscriminatorLearner, "__call__", "discriminator (Eq. 6)")
    watch(DynamicsLearner, "__call__", "dynamics model (Eq. 5)")
    watch(DynamicsLearner, "errors", "the model's errors")
    watch(BCLearner, "__call__", "cloning")
    watch(environment, "step", "simulator", compiles=False)
    watch(environment, "reset", "simulator", compiles=False)
    return seconds


if __name__ == "__main__":
    main()
