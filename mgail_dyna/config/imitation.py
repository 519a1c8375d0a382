"""How an agent imitates, whichever the mode; a group that a mode has no use for is left alone by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mgail_dyna.config.checks import require
from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.config.expert import GroupedTrustRegionConfig


@dataclass(frozen=True)
class PolicyConfig:
    """The policy."""

    hidden: tuple[int, ...] = (100, 50)
    """Units of each hidden layer (paper sec. 4)."""
    learning_rate: float = 3e-4
    """Adam's, at the start."""
    activation: Literal["relu", "tanh"] = "relu"
    """Of the hidden layers; with gail and dyna-trpo also of the value network's, which are as wide."""
    noise_std: float = 0.1
    """Standard deviation of continuous actions, in half widths of their space (or the largest shown, if boundless)."""
    train_noise: bool = False
    """Whether the standard deviation is trained, or held constant."""
    averaging: float = 0.99
    """Share of itself the averaged policy, which explores, keeps at each gradient step; 0 for none."""
    acting_averaging: float = 0.9
    """Share of itself the policy that is evaluated, an average of those that explored, keeps at each iteration."""
    clip_norm: float = 1.0
    """Gradients with a greater norm are scaled down to it."""
    state_clip_norm: float | None = 5.0
    """The same for what each trajectory of an unroll passes back through a state (J_s of Eq. 2); None: no limit."""

    def __post_init__(self) -> None:
        require(
            self,
            "policy.",
            hidden=(bool(self.hidden) and min(self.hidden) >= 1, "one or more layer sizes, each at least 1"),
            learning_rate=(self.learning_rate > 0, "above 0"),
            noise_std=(self.noise_std > 0, "above 0"),
            averaging=(0 <= self.averaging < 1, "at least 0 and below 1"),
            acting_averaging=(0 <= self.acting_averaging < 1, "at least 0 and below 1"),
            clip_norm=(self.clip_norm > 0, "above 0"),
            state_clip_norm=(self.state_clip_norm is None or self.state_clip_norm > 0, "above 0"),
        )


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The discriminator and its update (Eq. 6)."""

    hidden: tuple[int, ...] = (200, 100)
    """Units of each hidden layer (paper sec. 4)."""
    whitening: float = 0.5
    """How far pairs are whitened (the expert's uncorrelated, of equal variance) before D sees them: 0 (as is) to 1."""
    learning_rate: float = 3e-4
    """Adam's, at the start."""
    steps: int = 30
    """Gradient steps a round."""
    batch: int = 256
    """State-action pairs of the agent, and as many of the expert, in a step."""
    gradient_penalty: float = 2.0
    """Weight of the gradient penalty; 0 leaves it out."""
    gradient_target: float = 0.0
    """Norm the penalty draws the gradient of the logits to: 1 keeps a slope everywhere, 0 lets it vanish in the end."""
    newest_share: float = 0.0
    """Share of the agent's pairs drawn from the newest --rollout.steps env steps, the others from the whole replay."""
    imagined_share: float = 0.9
    """dyna: share of the agent's pairs imagined under the policy as it is; the paper's are all real."""

    def __post_init__(self) -> None:
        require(
            self,
            "discriminator.",
            hidden=(bool(self.hidden) and min(self.hidden) >= 1, "one or more layer sizes, each at least 1"),
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            whitening=(0 <= self.whitening <= 1, "between 0 and 1"),
            batch=(self.batch >= 1, "at least 1"),
            newest_share=(
                self.newest_share >= 0 and self.newest_share + self.imagined_share <= 1 + 1e-9,
                f"at least 0, and at most 1 with the imagined {self.imagined_share}",
            ),
            imagined_share=(0 <= self.imagined_share <= 1, "between 0 and 1"),
            gradient_target=(self.gradient_target >= 0, "at least 0"),
            gradient_penalty=(self.gradient_penalty >= 0, "at least 0"),
        )


@dataclass(frozen=True)
class TransitionConfig:
    """The transition model and its update (Eq. 5)."""

    units: int = 100
    """Of the embeddings and of the GRU (MGAIL: 100)."""
    learning_rate: float = 1e-3
    """Adam's, at the start."""
    steps: int = 30
    """Gradient steps a round."""
    batch: int = 64
    """Windows in a step."""
    length: int = 5
    """Steps of a training window after the warm-up; the loss is over both."""
    warmup: int = 4
    """Observed steps before a window, that warm the GRU, in training and in both kinds of unroll."""
    expert_share: float = 0.5
    """Share of windows drawn from the demonstrations rather than from replay; none with --subsample."""

    def __post_init__(self) -> None:
        require(
            self,
            "transition.",
            units=(self.units >= 1, "at least 1"),
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            batch=(self.batch >= 1, "at least 1"),
            length=(self.length >= 1, "at least 1"),
            warmup=(self.warmup >= 0, "at least 0"),
            expert_share=(0 <= self.expert_share <= 1, "between 0 and 1"),
        )


@dataclass(frozen=True)
class LearnConfig:
    """The learning phase: policy steps on real trajectories (MF, Eq. 7)."""

    steps: int = 30
    """Gradient steps a round (the paper's m)."""
    batch: int = 64
    """Windows in a step."""
    length: int = 5
    """Steps of a window the gradient flows through."""
    newest: int | None = 1_000
    """Windows are drawn from this many newest env steps; from the whole replay if None."""

    def __post_init__(self) -> None:
        require(
            self,
            "learn.",
            steps=(self.steps >= 0, "at least 0"),
            batch=(self.batch >= 1, "at least 1"),
            length=(self.length >= 1, "at least 1"),
            newest=(self.newest is None or self.newest >= 1, "at least 1"),
        )


@dataclass(frozen=True)
class PlanConfig:
    """The planning phase: policy steps on imagined trajectories (MB, Eq. 8)."""

    steps: int = 30
    """Gradient steps a round (the paper's p); with dyna-trpo trust-region steps."""
    batch: int = 64
    """Imagined trajectories in a step."""
    length: int = 10
    """Steps of an imagined trajectory (the paper's Tp)."""
    expert_share: float = 0.5
    """Share of plans that start from states of the demonstrations rather than from replay, where mistakes begin."""
    newest: int | None = None
    """Plans from replay (none with --plan.expert-share 1) start in this many newest env steps, clear of early falls; in
    all of it if None."""

    def __post_init__(self) -> None:
        require(
            self,
            "plan.",
            steps=(self.steps >= 0, "at least 0"),
            batch=(self.batch >= 1, "at least 1"),
            length=(self.length >= 1, "at least 1"),
            expert_share=(0 <= self.expert_share <= 1, "between 0 and 1"),
            newest=(self.newest is None or self.newest >= 1, "at least 1"),
        )


@dataclass(frozen=True)
class RolloutConfig:
    """How the agent acts in the environment between two updates."""

    steps: int = 250
    """Env steps an iteration, at least: the episode under way is finished (with gail and dyna-trpo it runs on)."""
    copies: int = 8
    """gail, dyna-trpo: copies of the environment that share the steps; each episode is as long as the environment's."""
    memory: int = 100_000
    """gail, dyna-trpo: env steps replay holds, --rollout.steps at least; beyond twice as many the oldest are let go."""
    starts: Literal["reset", "expert", "mix"] = "mix"
    """Where episodes begin: at reset, at simulator states of the demonstrations, or both (gail, dyna-trpo: reset)."""
    expert_share: float = 0.8
    """With --rollout.starts mix: share of --rollout.steps taken from the expert's states; then episodes from reset."""
    reset_length: int = 200
    """Steps after which an episode from reset is cut off."""
    expert_length: int = 50
    """Steps after which an episode from an expert's state is cut off."""

    def __post_init__(self) -> None:
        require(
            self,
            "rollout.",
            steps=(self.steps >= 1, "at least 1"),
            copies=(self.copies >= 1, "at least 1"),
            memory=(self.memory >= 1, "at least 1"),
            expert_share=(0 <= self.expert_share <= 1, "between 0 and 1"),
            reset_length=(self.reset_length >= 2, "at least 2"),
            expert_length=(self.expert_length >= 2, "at least 2"),
        )


@dataclass(frozen=True)
class ImitationConfig:
    """Everything a run depends on, besides mode and demonstrations."""

    env: str = "HalfCheetah-v5"
    """Gymnasium id, or a short name: cartpole, hopper, halfcheetah, walker2d, swimmer, inverteddoublependulum, ant."""
    seed: int = 0
    """Of everything random: weights, environments, action noise, minibatches."""
    env_steps: int = 100_000
    """Env steps of training; dyna and mgail take no more, gail and dyna-trpo end their iteration; bc takes none."""
    demonstrations: int | None = None
    """How many of the demonstrations to imitate, the first ones; all if None."""
    subsample: int = 1
    """Keep one step in so many of each demonstration; nothing then says what a kept action led to."""
    cost: Literal["saturating", "nonsaturating", "logit"] = "logit"
    """What the policy minimises: log D (the paper's), -log(1 - D) or their sum; losses.py tells slopes and signs."""
    discount: float = 0.99
    """Gamma of Eq. 7 and 8; gail and dyna-trpo have --trust-region.discount."""
    warm_start: Literal["none", "bc"] = "none"
    """dyna, mgail: begin untrained, or as a clone of the demonstrations unless it knows them by heart (--cloning.*)."""
    rounds: int = 30
    """Times an iteration goes through judging, learning, modelling and planning; the paper's is 1."""
    final_learning_rate: float = 0.1
    """Learning rates fall linearly to this share of their start over the run's env steps (bc: its gradient steps; gail,
    dyna-trpo: all but the value network's)."""
    evaluation_episodes: int = 10
    """Episodes of the mean action in an evaluation, which takes env steps of its own; 0 for no evaluations."""
    evaluate_every: int = 1
    """Iterations between two evaluations."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    transition: TransitionConfig = field(default_factory=TransitionConfig)
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
            discount=(0 < self.discount <= 1, "above 0 and at most 1"),
            rounds=(self.rounds >= 1, "at least 1"),
            final_learning_rate=(0 < self.final_learning_rate <= 1, "above 0 and at most 1"),
            evaluation_episodes=(self.evaluation_episodes >= 0, "at least 0"),
            evaluate_every=(self.evaluate_every >= 1, "at least 1"),
        )

    def learning_rate_at(self, progress: float) -> float:
        """Share of their start the learning rates have once `progress` (0 to 1) of the run is done."""
        return 1.0 + (self.final_learning_rate - 1.0) * min(progress, 1.0)
