"""Acting in environments: whole episodes, or fixed-length rollouts of several environments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.environments.simulator import SimulatorState, reset_to, simulator_state
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.normalization import RunningMoments
from mgail_dyna.types import Array, FloatArray, Rollout, Trajectory


class Episode:
    """An episode that is played in one go, or in parts between which the environment waits.

    Args:
        env: with a time limit, or episodes that end by themselves.
        policy: chooses the actions.
        seed: given to `env.reset`.
        start: simulator state to start from, in place of the environment's own.
        limit: steps after which the episode is truncated.
        lost: truncates it where true of the newest observation.
        simulated: keep the simulator's states, where the environment has them.

    Attributes:
        observations: all so far, raw.
        terminated: the task has ended it.
        over: it has ended.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        policy: NumpyPolicy,
        seed: int,
        start: SimulatorState | None = None,
        limit: int | None = None,
        lost: Callable[[Array], bool] | None = None,
        simulated: bool = False,
    ) -> None:
        self.env, self.policy, self.seed, self.start, self.limit, self.lost = env, policy, seed, start, limit, lost
        observation, _ = env.reset(seed=seed)
        if start is not None:
            observation = reset_to(env, *start, observation)
        self.observations = [np.array(observation, np.float32)]
        self.states = [simulator_state(env)] if simulated else []
        self.actions: list[Any] = []
        self.rewards: list[float] = []
        self.noises: list[FloatArray] = []
        self.terminated = self.over = False

    def __len__(self) -> int:
        """Steps so far."""
        return len(self.actions)

    def play(self, rng: np.random.Generator | None = None, steps: int | None = None) -> Trajectory:
        """Plays on to the end, or for `steps` steps; returns what it played.

        Args:
            rng: draws the action noise; None: the mean action (the most likely one) is played.
            steps: to play at most.

        Raises:
            UserError: an observation, a reward or an action is NaN or infinite.
        """
        begin = len(self)
        last, noise = math.inf if steps is None else begin + steps, None
        while not self.over and len(self.actions) < last:
            if rng is not None:
                noise = self.policy.head.noise(rng, ())
                self.noises.append(noise)
            self._step(self.policy.act(self.observations[-1], noise))
        try:
            return Trajectory(
                observations=np.array(self.observations[begin:]),
                actions=np.array(self.actions[begin:]),
                rewards=np.array(self.rewards[begin:], np.float64),
                terminated=self.terminated,
                truncated=self.over and not self.terminated,
                **_simulated(self.states[begin:]),
                seed=self.seed,
                noise=np.array(self.noises[begin:]) if self.noises else None,
            )
        except ValueError as error:
            raise UserError(f"the episode of seed {self.seed}: {error}") from None

    def _step(self, action: Any) -> None:
        self.actions.append(action.copy())  # environments may write into their arrays later
        observation, reward, terminated, truncated, _ = self.env.step(action)
        observation = np.asarray(observation).astype(np.float32)  # a copy; faster than np.array
        self.rewards.append(float(reward))
        self.observations.append(observation)
        if self.states:
            self.states.append(simulator_state(self.env))
        cut = len(self.actions) == self.limit or (self.lost is not None and self.lost(observation))
        self.terminated, self.over = bool(terminated), bool(terminated or truncated or cut)

    def state(self) -> dict[str, Any]:
        """Everything `replayed` needs: how it began, its actions and their noise."""
        return {
            "seed": self.seed,
            "limit": self.limit,
            "start": None if self.start is None else dict(zip(("qpos", "qvel"), self.start, strict=True)),
            "actions": np.array(self.actions),
            "noise": np.array(self.noises) if self.noises else None,
        }

    @classmethod
    def replayed(
        cls,
        env: gym.Env[Any, Any],
        policy: NumpyPolicy,
        state: dict[str, Any],
        lost: Callable[[Array], bool] | None = None,
    ) -> Episode:
        """The episode that gave `state`, played again up to where it was; the other arguments are those it had."""
        start = None if state["start"] is None else (state["start"]["qpos"], state["start"]["qvel"])
        limit = None if state["limit"] is None else int(state["limit"])
        episode = cls(env, policy, int(state["seed"]), start, limit, lost)
        for action in state["actions"]:
            episode._step(action)
        episode.noises = [] if state["noise"] is None else list(state["noise"])
        return episode


def play_episode(
    env: gym.Env[Any, Any],
    policy: NumpyPolicy,
    seed: int,
    rng: np.random.Generator | None = None,
    limit: int | None = None,
    simulated: bool = False,
) -> Trajectory:
    """Plays one episode to its end; see `Episode` and its `play` for the arguments.

    Raises:
        UserError: an observation, a reward or an action is NaN or infinite.
    """
    return Episode(env, policy, seed, limit=limit, simulated=simulated).play(rng)


def _simulated(states: Sequence[SimulatorState | None]) -> dict[str, Any]:
    """`qpos [n, nq]` and `qvel [n, nv]`, where the environment has them."""
    known = [state for state in states if state is not None]
    if not known:
        return {}
    qpos, qvel = zip(*known, strict=True)
    return {"qpos": np.array(qpos), "qvel": np.array(qvel)}


@dataclass
class _Copy:
    """An environment and its current episode, which can be replayed from its seed and actions."""

    env: gym.Env[Any, Any]
    seed: int = 0
    actions: list[Any] = field(default_factory=list)

    def start(self, seed: int) -> Any:
        self.seed, self.actions = seed, []
        return self.env.reset(seed=seed)[0]

    def step(self, action: Any) -> tuple[Any, ...]:
        self.actions.append(np.copy(action))  # environments may write into their arrays later
        return self.env.step(action)


class RolloutCollector:
    """Steps several environments with one policy; episodes continue from one rollout to the next.

    Observation statistics change between rollouts only, so an update sees the states that the actions were chosen from.

    Args:
        envs: of the same task.
        policy: acts.
        seed: of resets and action noise.
        normalising: whether the policy's normalisation follows the observations seen here.
    """

    def __init__(
        self, envs: Sequence[gym.Env[Any, Any]], policy: NumpyPolicy, seed: int, normalising: bool = True
    ) -> None:
        self.copies, self.policy, self.normalising = [_Copy(env) for env in envs], policy, normalising
        self.rng = np.random.default_rng(seed)
        self.moments = RunningMoments(envs[0].observation_space.shape or ())
        self.env_steps = 0
        self.running_returns = np.zeros(len(envs))
        self.finished_returns: list[float] = []
        self.observations = np.stack([self._reset(copy) for copy in self.copies]).astype(np.float32)

    def _reset(self, copy: _Copy) -> Any:
        return copy.start(int(self.rng.integers(2**31)))

    def collect(self, steps: int) -> Rollout:
        """Takes `steps` steps in every environment; `finished_returns` then has the returns of episodes that ended.

        Raises:
            UserError: an observation or a reward is NaN or infinite.
        """
        policy, head, count = self.policy, self.policy.head, len(self.copies)
        noise = head.noise(self.rng, (steps, count))
        observations = np.empty((steps + 1, count, self.observations.shape[1]), np.float32)
        reached = np.empty_like(observations[1:])
        rewards = np.empty((steps, count), np.float64)
        terminated, ended = np.empty((steps, count), bool), np.empty((steps, count), bool)
        states, actions = np.empty_like(reached), []
        observations[0] = self.observations
        self.finished_returns = []
        for t in range(steps):
            states[t] = policy.normalise(observations[t])
            actions.append(head.sample(policy.outputs(states[t]), noise[t]))
            executed = head.executed(actions[-1])
            for n, copy in enumerate(self.copies):
                observation, rewards[t, n], terminated[t, n], truncated, _ = copy.step(executed[n])
                reached[t, n] = observation
                self.running_returns[n] += rewards[t, n]
                ended[t, n] = terminated[t, n] or truncated
                if ended[t, n]:
                    self.finished_returns.append(float(self.running_returns[n]))
                    self.running_returns[n] = 0.0
                    observation = self._reset(copy)
                observations[t + 1, n] = observation
        _check_finite("an observation", reached)
        _check_finite("an observation", observations)  # including those of resets
        _check_finite("a reward", rewards)
        self.observations = observations[steps]
        self.env_steps += steps * count
        rollout = Rollout(
            states=states,
            next_states=policy.normalise(reached),
            actions=np.stack(actions),
            rewards=rewards.astype(np.float32),
            terminated=terminated,
            ended=ended,
        )
        if self.normalising:
            self.moments.update(observations[:-1])
            self._normalise()
        return rollout

    def _normalise(self) -> None:
        self.policy.normalise_with(self.moments.mean, np.sqrt(self.moments.variance) + 1e-8)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs; for each current episode its seed and its actions."""
        return {
            "rng": self.rng.bit_generator.state,
            "moments": self.moments.state(),
            "env_steps": self.env_steps,
            "running_returns": self.running_returns.copy(),
            "episodes": [{"seed": copy.seed, "actions": np.array(copy.actions)} for copy in self.copies],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave. Current episodes are replayed up to where they were, which `env_steps` does not
        count."""
        self.moments.restore(state["moments"])
        self.env_steps = int(state["env_steps"])
        self.running_returns = np.array(state["running_returns"])
        for n, (copy, episode) in enumerate(zip(self.copies, state["episodes"], strict=True)):
            observation = copy.start(int(episode["seed"]))
            for action in episode["actions"]:
                observation = copy.step(action)[0]
            self.observations[n] = observation
        self.rng.bit_generator.state = state["rng"]
        if self.normalising:
            self._normalise()


def _check_finite(name: str, array: Array) -> None:
    if not np.isfinite(array).all():
        raise UserError(f"the environment: {name}: expected finite numbers, found NaN or infinity")


def segments(rollout: Rollout, actions: Array) -> Iterator[tuple[FloatArray, Array]]:
    """The episodes, or parts of episodes, in a rollout `[T, N]`.

    Args:
        rollout: cut at the end of each episode and at its own end.
        actions: `[T, N, ...]`, to be cut the same way.

    Yields:
        States `[n + 1, d]`, the last one following the last action, and actions `[n, ...]`.
    """
    steps, copies = rollout.ended.shape
    for n in range(copies):
        cuts = [0, *(np.flatnonzero(rollout.ended[:-1, n]) + 1), steps]
        for begin, end in itertools.pairwise(cuts):
            last = rollout.next_states[end - 1 : end, n]
            yield np.concatenate([rollout.states[begin:end, n], last]), actions[begin:end, n]
