"""How experts are trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mgail_dyna.config.checks import require
from mgail_dyna.errors import UserError


@dataclass(frozen=True)
class TrustRegionConfig:
    """The update of TRPO: one natural-gradient step on the policy, then a regression of the value network."""

    max_kl: float = 0.01
    """Largest mean KL divergence of a policy step (Schulman 2015, delta)."""
    final_max_kl: float | None = None
    """Largest mean KL at the end of training, approached linearly; None: the same as at the start."""
    cg_iterations: int = 25
    """Conjugate-gradient iterations for the natural gradient, at most."""
    cg_tolerance: float = 0.1
    """Conjugate gradient stops when its residual is below this share of the gradient's norm."""
    damping: float = 0.1
    """Added to the diagonal of the Fisher matrix."""
    backtracks: int = 10
    """Step sizes tried by the line search, each 0.8 of the one before."""
    value_epochs: int = 20
    """Passes of the value network over each rollout."""
    value_batch: int = 128
    """States in a value minibatch."""
    value_learning_rate: float = 1e-3
    """Adam's learning rate for the value network."""
    discount: float = 0.99
    """Gamma of returns and advantages."""
    gae_lambda: float = 0.95
    """Lambda of generalised advantage estimation."""

    prefix: ClassVar[str] = ""  # of the flags, where a command puts them in a group

    def __post_init__(self) -> None:
        final = self.final_max_kl
        require(
            self,
            self.prefix,
            max_kl=(self.max_kl > 0, "a number above 0"),
            final_max_kl=(final is None or 0 < final <= self.max_kl, "above 0 and at most --max-kl"),
            cg_iterations=(self.cg_iterations >= 1, "at least 1"),
            cg_tolerance=(0 < self.cg_tolerance < 1, "between 0 and 1"),
            damping=(self.damping >= 0, "at least 0"),
            backtracks=(self.backtracks >= 1, "at least 1"),
            value_epochs=(self.value_epochs >= 1, "at least 1"),
            value_batch=(self.value_batch >= 1, "at least 1"),
            value_learning_rate=(self.value_learning_rate > 0, "above 0"),
            discount=(0 < self.discount <= 1, "above 0 and at most 1"),
            gae_lambda=(0 <= self.gae_lambda <= 1, "between 0 and 1"),
        )

    def max_kl_at(self, progress: float) -> float:
        """The KL limit once `progress` (0 to 1) of training is done."""
        final = self.max_kl if self.final_max_kl is None else self.final_max_kl
        return self.max_kl + (final - self.max_kl) * min(progress, 1.0)


@dataclass(frozen=True)
class GroupedTrustRegionConfig(TrustRegionConfig):
    """The update of TRPO: a natural-gradient step, then a regression of the value network. gail and dyna-trpo use it,
    dyna-natural its step."""

    prefix: ClassVar[str] = "trust_region."


@dataclass(frozen=True)
class ExpertConfig:
    """How an expert is trained with TRPO and how its demonstrations are recorded."""

    env: str = "HalfCheetah-v5"
    """Gymnasium id, module:Id for one of your own, or a short name: cartpole, hopper, halfcheetah, walker2d, swimmer,
    pusher, invertedpendulum, inverteddoublependulum, ant, humanoid."""
    env_kwargs: str | None = None
    """Keyword arguments of the environment as JSON; None: its defaults."""
    steps: int = 3_000_000
    """Environment steps of training."""
    seed: int = 0
    """Seed of weights, environments, action noise and minibatches."""
    trajectories: int = 50
    """Number of demonstrations to record."""
    length: int | None = None
    """Time limit of an episode; None: the environment's own, or 1,000 steps if it has none."""
    num_envs: int = 2
    """Number of copies of the environment."""
    rollout: int = 1_024
    """Steps per environment between two updates."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of each hidden layer of the policy and of the value network."""
    initial_log_std: float = 0.0
    """Log standard deviation of continuous actions at the start."""
    evaluate_every: int = 100_000
    """Environment steps between two evaluations of the mean action."""
    evaluation_episodes: int = 5
    """Episodes per evaluation."""
    # An expert that falls after a small push cannot be imitated.
    evaluation_noise: float = 0.1
    """Standard deviation of noise on continuous actions in evaluations, in half ranges of the action space."""
    finalists: int = 3
    """Number of best policies kept. At the end each plays 10 times as many episodes, with and without noise."""
    checkpoint_seconds: float = 30.0
    """Seconds between two checkpoints."""
    trust_region: TrustRegionConfig = field(default_factory=TrustRegionConfig)

    def __post_init__(self) -> None:
        samples = self.num_envs * self.rollout
        require(
            self,
            steps=(self.steps >= 1, "at least 1"),
            seed=(self.seed >= 0, "at least 0"),
            trajectories=(self.trajectories >= 1, "at least 1"),
            length=(self.length is None or self.length >= 2, "at least 2"),
            num_envs=(self.num_envs >= 1, "at least 1"),
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
                f"(--num-envs times --rollout), found {self.trust_region.value_batch}"
            )
