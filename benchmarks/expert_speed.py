"""HalfCheetah env steps per CPU second of whole TRPO training runs: ours, the simulator alone, and sb3-contrib's.

Each side trains in a process of its own, with one thread, 8 environments of 256 steps a rollout, at most 25
conjugate-gradient iterations, 20 value epochs of 128 states, 64-64 tanh networks and running normalisation of
observations and rewards; the two take turns. CPU seconds are the process's own, from start to exit: imports,
compilation, evaluation and the recording of demonstrations, all of it; env steps are those of training alone.

    python benchmarks/expert_speed.py --peer-python OTHER_VENV/bin/python

prints one JSON line per run and the ratios. "simulator" is Gymnasium's own loop with random actions. OTHER_VENV holds
benchmarks/requirements.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = """
import sys
import torch
torch.set_num_threads(1)
from sb3_contrib import TRPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize
env = VecNormalize(make_vec_env("HalfCheetah-v5", n_envs=8), gamma=0.99)
model = TRPO("MlpPolicy", env, n_steps=256, batch_size=128, gamma=0.99, gae_lambda=0.95, cg_max_steps=25,
             cg_damping=0.1, n_critic_updates=20, learning_rate=1e-3, target_kl=0.04, device="cpu",
             seed=int(sys.argv[2]))
model.learn(int(sys.argv[1]))
"""
SIMULATOR = """
import sys
import gymnasium
env = gymnasium.make("HalfCheetah-v5")
env.action_space.seed(int(sys.argv[2]))
env.reset(seed=int(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    _, _, terminated, truncated, _ = env.step(env.action_space.sample())
    if terminated or truncated:
        env.reset()
"""


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a command, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Runs both sides in turn and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter of an environment with sb3-contrib; ours alone if not given")
    parser.add_argument("--steps", type=int, default=3_000_000, help="of our runs; the default is a whole one")
    parser.add_argument(
        "--peer-steps", type=int, default=300_000, help="of the other sides, whose rates do not depend on their length"
    )
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"ours": [], "simulator": [], "peer": []}
    for seed in range(options.repeats):
        with tempfile.TemporaryDirectory() as out:
            ours = [sys.executable, "run.py", "expert", "--env", "halfcheetah", "--seed", str(seed)]
            ours += ["--steps", str(options.steps), "--out", f"{out}/run"]
            simulator = [sys.executable, "-c", SIMULATOR, str(options.peer_steps), str(seed)]
            sides = {"ours": (ours, options.steps), "simulator": (simulator, options.peer_steps)}
            if options.peer_python:
                peer = [options.peer_python, "-c", PEER, str(options.peer_steps), str(seed)]
                sides["peer"] = (peer, options.peer_steps)
            for side, (command, steps) in sides.items():
                seconds = cpu_seconds(command)
                rates[side].append(steps / seconds)
                row = {"side": side, "seed": seed, "env_steps": steps, "cpu_seconds": round(seconds, 1)}
                print(json.dumps({**row, "steps_per_cpu_second": round(steps / seconds)}), flush=True)
    median = {side: sorted(values)[len(values) // 2] for side, values in rates.items() if values}
    print(json.dumps({"median_steps_per_cpu_second": {side: round(rate) for side, rate in median.items()}}))
    print(json.dumps({"ours_as_a_multiple_of_the_simulator": round(median["simulator"] / median["ours"], 2)}))
    if options.peer_python:
        print(json.dumps({"ratio": round(median["ours"] / median["peer"], 2)}))


if __name__ == "__main__":
    main()
