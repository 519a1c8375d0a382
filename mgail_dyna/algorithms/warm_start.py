"""How a run keeps to the demonstrations: it starts as a clone, or follows their states where actions are unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mgail_dyna.algorithms.bc import Cloner, steps_alone
from mgail_dyna.algorithms.networks import unit_of_changes
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.learners.demonstrated import Cloning, Following
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.replay import Replay
from mgail_dyna.types import FloatArray

# Share of the update rounds that is always made.
FEWEST_ROUNDS = 0.1
# A model that errs by less than so many standard deviations of the demonstrated states, one step ahead on new steps,
# knows where the agent goes.
KNOWN = 0.3


def weight_of(base: float, pairs: int, strayed: float) -> FloatArray:
    """How much demonstrations count beside D: more if there are many `pairs`, less if episodes have `strayed`."""
    most = base * math.sqrt(pairs)
    return np.asarray(min(most, most ** (1.0 - strayed)), np.float32)


def _up_to(full: float | None, strayed: float) -> float:
    """`strayed / full`, at most 1."""
    return 1.0 if full is None else min(strayed / full, 1.0)


class WarmStart:
    """Trains the clone, and keeps what is learned later close to the demonstrations.

    The demonstrations say what to do in the states they visit. The discriminator and the model say the rest.

    Args:
        config: `warm_start`, `cloning`, and what holds without a clone.
        demos: the demonstrations as the networks see them.
        count: how many there are.
        blind: hardly any straying from them would be seen, see `Straying`.

    Attributes:
        cloned: whether the clone was made.
        kept: whether it has passed its trial; None before it, or without one.
        model_error: of the model, one step ahead on the newest steps, in standard deviations of a state.
    """

    def __init__(self, config: ImitationConfig, demos: Replay, count: int, blind: bool) -> None:
        self.config, self.demos, self.count, self.blind, self.cloned = config, demos, count, blind, False
        self.kept: bool | None = None
        self.model_error = math.nan

    @property
    def due(self) -> bool:
        """Whether a clone was asked for and is still to be made."""
        return self.config.warm_start == "bc" and not self.cloned

    def clone(self, policy: PolicyNetwork, acting: NumpyPolicy, demos: Demonstrations) -> dict[str, float]:
        """Clones `demos` into `policy` and its copy `acting`.

        Returns:
            `steps`, how many are `left`, and the `loss` of the last ones.
        """
        self.cloned = True
        steps = steps_alone(self.config, demos.total_steps) if self._unseen else self.config.cloning.steps
        return Cloner(policy, acting, demos, self.config, steps).finish()

    @property
    def _unseen(self) -> bool:
        """Whether a clone's learning is to follow how far it strays, and that would not be seen."""
        return self.blind and self.config.warm_start == "bc" and self.config.cloning.slow_below is not None

    @property
    def trusted(self) -> bool:
        """Whether a clone stays as it is until its episodes end early."""
        return self._unseen and self.count >= self.config.cloning.trial_below

    @property
    def stays(self) -> bool:
        """Whether a clone of few demonstrations stays as it is, because nothing shows that learning makes it better.

        Neither its straying is seen, nor does the model, through which it would learn, know where it goes.
        """
        return self._unseen and not self.trusted and not self.model_error < KNOWN

    @property
    def on_trial(self) -> bool:
        """Whether the clone is to be judged by the next episodes."""
        return self.cloned and self.kept is None and self.count < self.config.cloning.trial_below

    @property
    def holds(self) -> bool:
        """Whether there is a clone that was not thrown away."""
        return self.cloned and self.kept is not False

    def judge(self, strayed: Sequence[float]) -> bool:
        """Keeps the clone or throws it away, by the shares of its episodes away from the demonstrations."""
        self.kept = bool(np.mean(strayed) <= self.config.cloning.trial_strayed)
        return self.kept

    def reset_length(self, ended: bool) -> int:
        """Longest of the next episodes from reset, in steps; `ended`: the task has ended an episode."""
        cloning, rollout = self.config.cloning, self.config.rollout
        if self.holds:
            return rollout.reset_length if self.on_trial else cloning.reset_length
        longer = rollout.ended_length or (cloning.failed_reset_length if self._failed_unseen else None)
        return (longer if ended else None) or rollout.reset_length

    def plan_length(self, ended: bool) -> int:
        """Tp of the next plans; `ended` as of `reset_length`: a fall comes late, and a short plan does not see it."""
        cloning, plan = self.config.cloning, self.config.plan
        longer = plan.ended_length or (cloning.failed_plan_length if self._failed_unseen else None)
        return (longer if ended else None) or plan.length

    @property
    def _failed_unseen(self) -> bool:
        """Whether the clone was thrown away, and only falls show how far the policy strays."""
        return self.kept is False and self.blind

    @property
    def acting_averaging(self) -> float:
        """Decay per iteration of the evaluated policy."""
        return (self.config.cloning if self.holds else self.config.policy).acting_averaging

    def lr_scale(self, iterations: int, strayed: float) -> float:
        """Factor on the policy's learning rate: a clone is frozen at first, then learns as fast as it strays.

        Near the expert there is little to learn, and most of the gradient is noise.

        Args:
            iterations: made so far.
            strayed: share of the episodes away from the demonstrations.
        """
        frozen = self.holds and iterations < self.config.cloning.freeze_iterations
        return 0.0 if frozen else self.rate(strayed)

    def rate(self, strayed: float) -> float:
        """The factor after the beginning, where episodes have `strayed`."""
        if not self.holds:
            return 1.0
        return 0.0 if self.stays else _up_to(self.config.cloning.slow_below, strayed)

    def rounds(self, iterations: int, strayed: float) -> int:
        """Update rounds of an iteration: all at first, so that D and the model are trained before they are needed.

        Arguments as of `lr_scale`.
        """
        share = 1.0
        if self.holds and iterations > 0:
            share = max(_up_to(self.config.cloning.fewer_updates_below, strayed), FEWEST_ROUNDS)
        return math.ceil(self.config.updates_per_iteration * share)

    def regularizer(self, rng: np.random.Generator, steps: int, strayed: float) -> Cloning | None:
        """Pairs for a cloning loss in `steps` gradient steps; None without a clone.

        Args:
            rng: draws the pairs.
            steps: gradient steps.
            strayed: share of the episodes away from the demonstrations, which then say little.
        """
        config = self.config.cloning
        if not self.holds or config.bc_weight == 0:
            return None
        weight = weight_of(config.bc_weight, self.demos.steps, strayed)
        return Cloning(*self.demos.pairs(rng, (steps, config.batch)), weight)


class Follower:
    """Keeps a policy to demonstrations without actions: by the model, its actions lead to the demonstrated next states.

    Args:
        config: `follow_weight`, and what a window is.
        demos: the demonstrations as the networks see them.
    """

    def __init__(self, config: ImitationConfig, demos: Replay) -> None:
        self.config, self.demos, self.unit = config, demos, unit_of_changes(demos)

    def regularizer(self, rng: np.random.Generator, steps: int, strayed: float) -> Following | None:
        """Transitions to follow in `steps` gradient steps; arguments as of `WarmStart.regularizer`."""
        config = self.config
        if config.follow_weight == 0:
            return None
        windows = self.demos.windows(rng, (steps, config.plan.batch), 1, config.dynamics.burn_in)
        weight = weight_of(config.follow_weight, self.demos.steps, strayed)
        return Following(windows.states, windows.mask, self.unit, weight)
