"""How experts are trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mgail_dyna.config.checks import require
from mgail_dyna.errors import UserError


@dataclass(frozen=True)
class TrustRegionConfig:
    """The update of TRPO: one natural-gradient step on the policy, then a regression of the value network."""

    kl_limit: float = 0.01
    """Mean KL divergence a policy step may cover (Schulman 2015, delta)."""
    final_kl_limit: float | None = None
    """KL limit at the end of training, reached linearly; the same as at the start if not given."""
    cg_iterations: int = 25
    """Conjugate-gradient iterations for the natural gradient, at most."""
    cg_tolerance: float = 0.1
    """Conjugate gradient stops once its residual is this share of the gradient's norm."""
    damping: float = 0.1
    """Added to the Fisher matrix's diagonal."""
    backtracks: int = 10
    """Step sizes the line search tries, each 0.8 of the one before."""
    value_epochs: int = 20
    """Passes of the value network over each rollout."""
    value_batch: int = 128
    """States in a value minibatch."""
    value_learning_rate: float = 1e-3
    """Adam's, for the value network."""
    discount: float = 0.99
    """Gamma of returns and advantages."""
    trace: float = 0.95
    """Lambda of generalised advantage estimation."""

    prefix: ClassVar[str] = ""  # of the flags, where a command puts them in a group

    def __post_init__(self) -> None:
        final = self.final_kl_limit
        require(
            self,
            self.prefix,
            kl_limit=(self.kl_limit > 0, "a number above 0"),
            final_kl_limit=(final is None or 0 < final <= self.kl_limit, "above 0 and at most --kl-limit"),
            cg_iterations=(self.cg_iterations >= 1, "at least 1"),
            cg_tolerance=(0 < self.cg_tolerance < 1, "between 0 and 1"),
            damping=(self.damping >= 0, "at least 0"),
            backtracks=(self.backtracks >= 1, "at least 1"),
            value_epochs=(self.value_epochs >= 1, "at least 1"),
            value_batch=(self.value_batch >= 1, "at least 1"),
            value_learning_rate=(self.value_learning_rate > 0, "above 0"),
            discount=(0 < self.discount <= 1, "above 0 and at most 1"),
            trace=(0 <= self.trace <= 1, "between 0 and 1"),
        )

    def kl_limit_at(self, progress: float) -> float:
        """The KL limit once `progress` (0 to 1) of training is done."""
        final = self.kl_limit if self.final_kl_limit is None else self.final_kl_limit
        return self.kl_limit + (final - self.kl_limit) * min(progress, 1.0)


@dataclass(frozen=True)
class GroupedTrustRegionConfig(TrustRegionConfig):
    """The update of TRPO: a natural-gradient step, then a regression of the value network. Used by gail, dyna-trpo."""

    prefix: ClassVar[str] = "trust_region."


@dataclass(frozen=True)
class ExpertConfig:
    """How an expert is trained with TRPO and how its demonstrations are recorded."""

    env: str = "HalfCheetah-v5"
    """Gymnasium id."""
    steps: int = 3_000_000
    """Environment steps to train for."""
    seed: int = 0
    """Of everything random: weights, environments, action noise, minibatches."""
    trajectories: int = 50
    """Demonstrations to record."""
    length: int | None = None
    """Longest episode, in training and in the demonstrations; the environment's own time limit if not given, or 1,000
    where it has none."""
    environments: int = 2
    """Copies of the environment a rollout is collected from."""
    rollout: int = 1_024
    """Steps of each copy between two updates."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of each hidden layer of the policy and of the value network."""
    initial_log_std: float = 0.0
    """Logarithm of the action noise's standard deviation at the start; continuous actions only."""
    evaluate_every: int = 100_000
    """Environment steps between two evaluations of the mean action."""
    evaluation_episodes: int = 5
    """Episodes of an evaluation."""
    # Who falls when nudged cannot be imitated.
    evaluation_noise: float = 0.1
    """Standard deviation of noise on continuous actions in these, in half ranges; demonstrations have none."""
    finalists: int = 3
    """Policies with the best evaluations; at the end each plays 10 times as many episodes, with and without noise."""
    checkpoint_seconds: float = 30.0
    """Wall-clock seconds between two checkpoints."""
    trust_region: TrustRegionConfig = field(default_factory=TrustRegionConfig)

    def __post_init__(self) -> None:
        samples = self.environments * self.rollout
        require(
            self,
            steps=(self.steps >= 1, "at least 1"),
            seed=(self.seed >= 0, "at least 0"),
            trajectories=(self.trajectories >= 1, "at least 1"),
            length=(self.length is None or self.length >= 2, "at least 2"),
            environments=(self.environments >= 1, "at least 1"),
            rollout=(self.rollout >= 2, "at least 2"),
            hidden=(bool(self.hidden) and min(self.hidden) >= 1, "one or more layer sizes, each at least 1"),
            evaluate_every=(self.evaluate_every >= 1, "at least 1"),
            evaluation_episodes=(self.evaluation_episodes >= 1, "at least 1"),
            evaluation_noise=(self.evaluation_noise >= 0, "at least 0"),
            finalists=(self.finalists >= 1, "at least 1"),
            checkpoint_seconds=(self.checkpoint_seconds >= 0, "at least 0"),
        )
        if self.trust_region.value_batch > samples:
            raise UserError(
                f"--value-batch: expected at most the {samples} states of a rollout "
                f"(--environments times --rollout), found {self.trust_region.value_batch}"
            )
