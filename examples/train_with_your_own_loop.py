"""Train with a loop of your own: evaluate as you like, keep the best policy, stop when it is good enough.

pip install -e .    # once, in the checkout
python examples/train_with_your_own_loop.py

An agent needs three things: a configuration, a function that makes the environment, and demonstrations. Each call of
`iterate` is one iteration of Algorithm 1 and returns its metrics. Everything else is up to you.
"""

from __future__ import annotations

import dataclasses

import gymnasium as gym

import mgail_dyna
from mgail_dyna import runtime
from mgail_dyna.demonstrations.reference import reference

runtime.import_tensorflow()  # on one thread, and without its banner


def evaluate(agent: mgail_dyna.DynaAgent, episodes: int) -> float:
    """Mean return of the agent's mean actions."""
    env, total = gym.make("CartPole-v1", max_episode_steps=1_000), 0.0
    for seed in range(episodes):
        observation, ended = env.reset(seed=seed)[0], False
        while not ended:
            observation, reward, terminated, truncated, _ = env.step(agent.act(observation))
            total, ended = total + float(reward), terminated or truncated
    return total / episodes


def main(best_file: str = "best_policy.h5", env_steps: int = 2_000, episodes: int = 3, **changes: int) -> float:
    """Imitates CartPole's expert; returns the best mean return, whose policy is in `best_file`."""
    demos = mgail_dyna.load_demonstrations("cartpole")
    expert = reference(demos, limit=1_000)  # as long as the episodes below
    config = mgail_dyna.imitation_preset("recipe", "CartPole-v1")
    config = dataclasses.replace(config, env_steps=env_steps, **changes)
    agent, best = mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), demos), float("-inf")
    while agent.progress < 1.0:
        agent.iterate()  # the first time, it clones the demonstrations
        found = evaluate(agent, episodes)
        print(f"{agent.env_steps:6,} env steps: return {found:7.1f}")
        if found > best:
            best = found
            mgail_dyna.save_policy(best_file, agent.acting)
        if expert.percent(best) >= 99.0:
            break
    return best


if __name__ == "__main__":
    main()
