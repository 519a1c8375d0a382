"""Stands in for `run.py`: the same files at the same moments, but nothing is learned, so that it takes no time.

`--env-steps N` evaluations of one env step each; a checkpoint after each. `--fail N` fails from the N-th env step on,
with `--once FILE` the first time only. Every start is noted in `starts.txt` beside the run.
"""

import json
import sys
import time
from pathlib import Path

COLUMNS = "env_steps,real_trajectories,expert_percent,return_mean,return_std,cpu_seconds,wall_seconds"


def put(path, text):
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)


def main(words):
    flags = dict(zip(words[::2], words[1::2], strict=True))
    directory = Path(flags.get("--resume", Path(flags.get("--logdir", "")) / "task-mode"))
    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "starts.txt").open("a") as file:
        file.write(" ".join(words) + "\n")
    done = 0
    if "--resume" in flags:
        done = int((directory / "checkpoint.h5").read_text())
        flags = json.loads((directory / "flags.json").read_text())
    put(directory / "flags.json", json.dumps(flags))
    total, seed = int(flags["--env-steps"]), int(flags["--seed"])
    settings = {"algorithm": "dyna", "preset": "tuned", "expert": "cartpole", "iterations": None, "commit": None}
    config = {"env": "CartPole-v1", "seed": seed, "env_steps": total}
    about = {"versions": {}, "expert_return": 1000.0}
    put(directory / "config.json", json.dumps({**settings, **about, "config": config}))
    for step in range(done + 1, total + 1):
        time.sleep(float(flags.get("--seconds", 0)))
        rows = [f"{i},{i},{10 * i},{100 * i},0,{i},{i}" for i in range(1, step + 1)]
        put(directory / "progress.csv", "\n".join([COLUMNS, *rows]) + "\n")
        put(directory / "checkpoint.h5", str(step))
        once = Path(flags.get("--once", directory / "never"))
        if step >= int(flags.get("--fail", total + 1)) and not once.exists():
            if "--once" in flags:
                once.touch()
            sys.exit("error: asked to fail")


if __name__ == "__main__":
    main(sys.argv[1:])
