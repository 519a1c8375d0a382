"""Act with a trained policy in NumPy alone. TensorFlow is never imported.

pip install -e .    # once, in the checkout
python examples/act_with_numpy_alone.py                            # the shipped expert of CartPole
python examples/act_with_numpy_alone.py runs/cartpole-dyna-seed0   # the policy of a run
"""

from __future__ import annotations

import sys

import gymnasium as gym

import mgail_dyna


def main(path: str = "cartpole", env_id: str = "CartPole-v1") -> float:
    """Plays one episode of `env_id` with the policy at `path`; returns its return."""
    policy = mgail_dyna.load_policy(path)
    env, total, ended = gym.make(env_id), 0.0, False
    observation, _ = env.reset(seed=0)
    while not ended:
        action = policy.act(observation)  # the mean action; raw observation in, action as executed out
        observation, reward, terminated, truncated, _ = env.step(action)
        total, ended = total + float(reward), terminated or truncated
    print(f"return {total:.1f}; TensorFlow imported: {'tensorflow' in sys.modules}")
    return total


if __name__ == "__main__":
    sys.path.append("")  # for an environment of your own in the current directory
    main(*sys.argv[1:])
