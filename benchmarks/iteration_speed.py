"""CPU seconds of one iteration of Dyna-AIL on HalfCheetah, part by part, sampling and evaluation apart.

    python benchmarks/iteration_speed.py [--preset paper]

prints one JSON line: the median over iterations after the first, which compiles.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    """Times every part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()

    from mgail_dyna import runtime
    from mgail_dyna.environments.make import make_env

    runtime.import_tensorflow()
    from mgail_dyna.algorithms.dyna import DynaAgent
    from mgail_dyna.config.presets import imitation_preset
    from mgail_dyna.demonstrations.reader import load_demonstrations

    config, expert = imitation_preset(options.preset, "HalfCheetah-v5"), load_demonstrations("halfcheetah")
    agent = DynaAgent(config, make_env("HalfCheetah-v5", expert.length), expert)
    agent.collect()
    parts: dict[str, Callable[[float], object]] = {
        "discriminator": agent.update_discriminator,
        "learn": agent.learn,
        "dynamics": agent.update_dynamics,
        "plan": agent.plan,
    }
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    first = 0.0
    for repeat in range(options.repeats + 1):
        for name, part in parts.items():
            start = time.process_time()
            part(1.0)
            taken = time.process_time() - start
            if repeat:
                seconds[name].append(taken)
            else:
                first += taken
    median = {name: round(sorted(taken)[len(taken) // 2], 3) for name, taken in seconds.items()}
    total = round(sum(median.values()), 3)
    steps = {name: getattr(config, name).steps for name in parts}
    row = {"preset": options.preset, "gradient_steps": steps, "cpu_seconds": median, "total": total}
    print(json.dumps({**row, "compilation": round(first - total, 1)}))


if __name__ == "__main__":
    main()
