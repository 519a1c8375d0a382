"""How an agent imitates. An algorithm ignores the groups it does not use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mgail_dyna.config.checks import require
from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.config.expert import GroupedTrustRegionConfig
from mgail_dyna.config.phases import LearnConfig, PlanConfig, RolloutConfig


@dataclass(frozen=True)
class PolicyConfig:
    """The policy."""

    hidden: tuple[int, ...] = (100, 50)
    """Units per hidden layer (paper sec. 4)."""
    learning_rate: float = 3e-4
    """Adam's learning rate at the start."""
    activation: Literal["relu", "tanh"] = "relu"
    """Activation of the hidden layers; gail and dyna-trpo use it, and the widths, for the value network too."""
    noise_std: float = 0.1
    """Standard deviation of continuous actions, as a share of half of their range, or of twice the demonstrated
    actions' root mean square about its middle if that is less."""
    train_noise: bool = False
    """Train the standard deviation."""
    averaging: float = 0.99
    """Decay per gradient step of the averaged policy, which explores; 0: no averaging."""
    averaging_share: float | None = None
    """Largest share of the gradient steps so far that the averaged policy remembers, so that it does not lag behind
    while the policy is young; None: no limit."""
    acting_averaging: float = 0.9
    """Decay per iteration of the evaluated policy, an average of those that explored; 0: no averaging. Of a clone:
    --cloning.acting-averaging."""
    near_only: bool = False
    """dyna, mgail: windows and plans from replay start near the demonstrations only (see `rollout/strayed`)."""
    clip_norm: float = 1.0
    """Largest norm of the policy's gradient."""
    bptt_clip_norm: float | None = 5.0
    """Largest norm of gamma^t J_s (Eq. 2), passed back through state and GRU memory together; None: no limit."""

    def __post_init__(self) -> None:
        require(
            self,
            "policy.",
            hidden=(bool(self.hidden) and min(self.hidden) >= 1, "one or more layer sizes, each at least 1"),
            learning_rate=(self.learning_rate > 0, "above 0"),
            noise_std=(self.noise_std > 0, "above 0"),
            averaging=(0 <= self.averaging < 1, "at least 0 and below 1"),
            averaging_share=(self.averaging_share is None or 0 < self.averaging_share <= 1, "above 0, at most 1"),
            acting_averaging=(0 <= self.acting_averaging < 1, "at least 0 and below 1"),
            clip_norm=(self.clip_norm > 0, "above 0"),
            bptt_clip_norm=(self.bptt_clip_norm is None or self.bptt_clip_norm > 0, "above 0"),
        )


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The discriminator and its update (Eq. 6)."""

    hidden: tuple[int, ...] = (200, 100)
    """Units per hidden layer (paper sec. 4)."""
    whitening: float = 0.5
    """How far D's inputs are whitened with the expert's covariance: 0 (not at all) to 1 (fully)."""
    learning_rate: float = 3e-4
    """Adam's learning rate at the start."""
    steps: int = 30
    """Gradient steps per update round."""
    batch: int = 256
    """State-action pairs of the agent, and of the expert, per gradient step."""
    gradient_penalty: float = 2.0
    """Weight of the gradient penalty; 0: none."""
    gradient_target: float = 0.0
    """Target norm of the penalised gradient: 1 keeps a slope everywhere, 0 lets it vanish."""
    recent_fraction: float = 0.0
    """Fraction of the agent's pairs from the last --rollout.steps env steps; the rest come from the whole replay."""
    imagined_fraction: float = 0.9
    """dyna: fraction of the agent's pairs imagined under the current policy; the paper's are all real."""

    def __post_init__(self) -> None:
        require(
            self,
            "discriminator.",
            hidden=(bool(self.hidden) and min(self.hidden) >= 1, "one or more layer sizes, each at least 1"),
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            whitening=(0 <= self.whitening <= 1, "between 0 and 1"),
            batch=(self.batch >= 1, "at least 1"),
            recent_fraction=(
                self.recent_fraction >= 0 and self.recent_fraction + self.imagined_fraction <= 1 + 1e-9,
                f"at least 0, and at most 1 with the imagined {self.imagined_fraction}",
            ),
            imagined_fraction=(0 <= self.imagined_fraction <= 1, "between 0 and 1"),
            gradient_target=(self.gradient_target >= 0, "at least 0"),
            gradient_penalty=(self.gradient_penalty >= 0, "at least 0"),
        )


@dataclass(frozen=True)
class DynamicsConfig:
    """The dynamics model and its update (Eq. 5)."""

    units: int = 100
    """Units of the embeddings and of the GRU (MGAIL: 100)."""
    members: int = 1
    """Networks whose mean predicts; the model costs as many times as much."""
    memoryless: bool = False
    """Predict from a single state and action; otherwise from all states of a window or a plan so far."""
    learning_rate: float = 1e-3
    """Adam's learning rate at the start."""
    steps: int = 30
    """Gradient steps per update round."""
    batch: int = 64
    """Windows per gradient step."""
    length: int = 5
    """Steps of a training window after the burn-in; the loss covers both."""
    burn_in: int = 4
    """Observed steps before a window that fill the GRU's state, in training and in both kinds of unroll."""
    demo_fraction: float = 0.5
    """Fraction of windows from the demonstrations, the rest from replay; 0 with --subsample."""

    def __post_init__(self) -> None:
        require(
            self,
            "dynamics.",
            units=(self.units >= 1, "at least 1"),
            members=(self.members >= 1, "at least 1"),
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            batch=(self.batch >= 1, "at least 1"),
            length=(self.length >= 1, "at least 1"),
            burn_in=(self.burn_in >= 0, "at least 0"),
            demo_fraction=(0 <= self.demo_fraction <= 1, "between 0 and 1"),
        )


@dataclass(frozen=True)
class ImitationConfig:
    """Everything a run depends on, besides the algorithm and the demonstrations."""

    env: str = "HalfCheetah-v5"
    """Gymnasium id, module:Id for one of your own, or a short name: cartpole, hopper, halfcheetah, walker2d, swimmer,
    pusher, invertedpendulum, inverteddoublependulum, ant, humanoid."""
    env_kwargs: str | None = None
    """Keyword arguments of the environment as JSON; None: those the demonstrations were recorded with."""
    seed: int = 0
    """Seed of weights, environments, action noise and minibatches."""
    env_steps: int = 100_000
    """Env steps of training: a hard budget for dyna, mgail and dyna-natural; gail and dyna-trpo finish their last
    iteration."""
    demonstrations: int | None = None
    """Imitate this many demonstrations, the first ones; None: all."""
    subsample: int = 1
    """Keep every n-th step of each demonstration. With n above 1 the next states are unknown, so the model
    learns from the agent's steps alone."""
    observations_only: bool = False
    """Imitate states alone, for demonstrations without actions: D judges how states change."""
    follow_weight: float = 0.0
    """dyna, mgail, with --observations-only: by the model, the policy's actions shall lead to the demonstrated next
    states; weight of that loss, as --cloning.bc-weight is of the cloning loss."""
    cost: Literal["saturating", "nonsaturating", "logit"] = "logit"
    """What the policy minimises: log D (the paper's), -log(1 - D), or their sum."""
    discount: float = 0.99
    """Gamma of Eq. 7 and 8; gail and dyna-trpo have --trust-region.discount."""
    warm_start: Literal["none", "bc"] = "none"
    """dyna, mgail, dyna-natural: start from scratch, or from a clone of the demonstrations (see --cloning.*)."""
    updates_per_iteration: int = 30
    """Update rounds (D, learn, model, plan) per iteration; the paper's is 1."""
    switch: Literal["fixed", "adaptive"] = "fixed"
    """dyna: an iteration takes a whole rollout (fixed), or two fifths of one, or a fifth if the model is sure of these
    steps (adaptive, paper sec. 5). Both make as many updates in every iteration."""
    sure_from: float = 0.8
    """With --switch adaptive: the model foresees a part of how states change. It is sure if that part is on new steps
    at least this share of what it is on known ones."""
    final_learning_rate: float = 0.1
    """Learning rates fall linearly to this share of their start by the end of the run."""
    evaluation_episodes: int = 10
    """Episodes of the mean action per evaluation; their env steps are counted apart; 0: no evaluations."""
    evaluate_every: int = 1
    """Iterations between two evaluations."""
    final_episodes: int = 100
    """Episodes of the mean action at the end of the run, from initial states of their own; 0: none."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    learn: LearnConfig = field(default_factory=LearnConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    trust_region: GroupedTrustRegionConfig = field(default_factory=GroupedTrustRegionConfig)
    cloning: CloningConfig = field(default_factory=CloningConfig)

    def __post_init__(self) -> None:
        require(
            self,
            seed=(self.seed >= 0, "at least 0"),
            env_steps=(self.env_steps >= 1, "at least 1"),
            demonstrations=(self.demonstrations is None or self.demonstrations >= 1, "at least 1"),
            subsample=(self.subsample >= 1, "at least 1"),
            follow_weight=(self.follow_weight >= 0, "at least 0"),
            discount=(0 < self.discount <= 1, "above 0 and at most 1"),
            updates_per_iteration=(self.updates_per_iteration >= 1, "at least 1"),
            sure_from=(0 < self.sure_from <= 1, "above 0 and at most 1"),
            final_learning_rate=(0 < self.final_learning_rate <= 1, "above 0 and at most 1"),
            evaluation_episodes=(self.evaluation_episodes >= 0, "at least 0"),
            evaluate_every=(self.evaluate_every >= 1, "at least 1"),
            final_episodes=(0 <= self.final_episodes <= 1_000, "between 0 and 1,000"),
        )

    def learning_rate_at(self, progress: float) -> float:
        """Share of their start the learning rates have once `progress` (0 to 1) of the run is done."""
        return 1.0 + (self.final_learning_rate - 1.0) * min(progress, 1.0)
