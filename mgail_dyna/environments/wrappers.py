"""Wrappers: one reports an environment's own errors, one counts steps, one adds noise, two choose."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.environments.errors import raised_by
from mgail_dyna.environments.spaces import action_spec, chosen_parts, parts_of
from mgail_dyna.errors import UserError
from mgail_dyna.types import Array


class Guarded(gym.Wrapper[Any, Any, Any, Any]):
    """Reports what an environment raises, or a wrong observation, in one line that names the place in its code.

    Args:
        env: to guard.
        env_id: its name, for the message.
    """

    def __init__(self, env: gym.Env[Any, Any], env_id: str) -> None:
        super().__init__(env)
        self.env_id, self.shape = env_id, env.observation_space.shape

    @property
    def spec(self) -> gym.envs.registration.EnvSpec | None:  # type: ignore[override]
        """That of the environment: this wrapper changes nothing."""
        return self.env.spec

    def reset(self, **kwargs: Any) -> Any:
        return self._called("reset", lambda: self.env.reset(**kwargs))

    def step(self, action: Any) -> Any:
        return self._called("step", lambda: self.env.step(action))

    def _called(self, method: str, call: Callable[[], Any]) -> Any:
        try:
            given = call()
        except UserError:
            raise
        except Exception as error:  # the environment's own, of any kind
            raise UserError(f"environment '{self.env_id}': {method}: {raised_by(error)}") from error
        observation = given[0] if isinstance(given, tuple) and given else given
        if (found := np.shape(observation)) != self.shape:
            wanted = f"expected an observation of shape {list(self.shape or ())}, found {list(found)}"
            raise UserError(f"environment '{self.env_id}': {method}: {wanted}")
        if method == "step" and len(given) > 1 and np.shape(given[1]):
            wanted = f"expected one number, found an array of shape {list(np.shape(given[1]))}"
            raise UserError(f"environment '{self.env_id}': step: reward: {wanted}; return a single number")
        return given


class Ledger:
    """Counts every environment step by its purpose; training steps are the x-axis of every curve.

    Attributes:
        steps: by purpose, "training" or "evaluation".
        episodes: by purpose; those of training are the paper's real trajectories.
    """

    def __init__(self) -> None:
        self.steps = {"training": 0, "evaluation": 0}
        self.episodes = {"training": 0, "evaluation": 0}

    def watch(self, env: gym.Env[Any, Any], purpose: str) -> gym.Env[Any, Any]:
        """`env`, with each reset and step counted for `purpose`, in place of any purpose it was counted for before."""
        return _Counted(env.env if isinstance(env, _Counted) else env, self, purpose)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"steps": dict(self.steps), "episodes": dict(self.episodes)}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.steps, self.episodes = dict(state["steps"]), dict(state["episodes"])


class _Counted(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any], ledger: Ledger, purpose: str) -> None:
        super().__init__(env)
        self.ledger, self.purpose = ledger, purpose

    def reset(self, **kwargs: Any) -> Any:
        self.ledger.episodes[self.purpose] += 1
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        self.ledger.steps[self.purpose] += 1
        return self.env.step(action)


class Chosen(gym.ObservationWrapper[Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Keeps some parts of an observation, in the order given.

    Args:
        env: with observations in a Dict.
        parts: name and width of each part, as `parts_text` writes them.

    Raises:
        UserError: the environment has no such part, or one of another width.
    """

    def __init__(self, env: gym.Env[Any, Any], parts: str) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, parts=parts)
        gym.ObservationWrapper.__init__(self, env)
        assert isinstance(env.observation_space, gym.spaces.Dict)
        self.parts = parts_of(parts)
        self.observation_space = chosen_parts(env.observation_space, self.parts)

    def observation(self, observation: Any) -> dict[str, Any]:
        """The parts that are kept."""
        return {name: observation[name] for name in self.parts}


class Numbered(gym.ActionWrapper[Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Numbers the combinations of several choices, so that an action is one choice among them.

    Args:
        env: with actions in MultiDiscrete or MultiBinary.
        counts: number of choices of each part; the last part's changes first.
    """

    def __init__(self, env: gym.Env[Any, Any], counts: tuple[int, ...]) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, counts=counts)
        gym.ActionWrapper.__init__(self, env)
        self.counts, self.kind = tuple(counts), env.action_space.dtype
        self.action_space = gym.spaces.Discrete(math.prod(counts))

    def action(self, action: Any) -> Array:
        """The parts of the combination with this number."""
        return np.array(np.unravel_index(int(action), self.counts), self.kind)

    def numbers(self, parts: Array) -> Array:
        """The numbers `[T]` of the combinations `parts [T, k]`.

        Raises:
            ValueError: a part is no whole number or none of its choices.
        """
        whole = np.asarray(parts).astype(np.int64)
        if (whole != parts).any() or (whole < 0).any() or (whole >= self.counts).any():
            raise ValueError(f"actions: expected choices below {list(self.counts)}, found others")
        return np.ravel_multi_index(tuple(whole.T), self.counts)


class Nudged(gym.Wrapper[Any, Any, Any, Any]):
    """Adds normal noise to continuous actions and keeps them inside the box.

    Args:
        env: discrete actions are not changed.
        std: of the noise, in units of half the box's width.
    """

    def __init__(self, env: gym.Env[Any, Any], std: float) -> None:
        super().__init__(env)
        self.actions = action_spec(env.action_space)
        self.scale = std * self.actions.scale if self.actions.kind == "continuous" else None
        self.rng = np.random.default_rng()

    def reset(self, *, seed: int | None = None, **kwargs: Any) -> Any:
        self.rng = np.random.default_rng(seed)
        return self.env.reset(seed=seed, **kwargs)

    def step(self, action: Any) -> Any:
        if self.scale is not None:
            noise = self.scale * self.rng.standard_normal(self.actions.size)
            action = np.clip(action + noise, self.actions.low, self.actions.high).astype(np.float32)
        return self.env.step(action)
