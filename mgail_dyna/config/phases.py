"""The phases of an iteration: acting, learning on real trajectories, planning on imagined ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgail_dyna.config.checks import require


@dataclass(frozen=True)
class LearnConfig:
    """The learning phase: policy steps on real trajectories (MF, Eq. 7)."""

    steps: int = 30
    """Gradient steps per update round (the paper's m)."""
    batch: int = 64
    """Windows per gradient step."""
    length: int = 5
    """Steps of a window, all differentiated through."""
    recent_steps: int | None = 1_000
    """Windows come from this many of the latest env steps; None: from the whole replay."""

    def __post_init__(self) -> None:
        require(
            self,
            "learn.",
            steps=(self.steps >= 0, "at least 0"),
            batch=(self.batch >= 1, "at least 1"),
            length=(self.length >= 1, "at least 1"),
            recent_steps=(self.recent_steps is None or self.recent_steps >= 1, "at least 1"),
        )


@dataclass(frozen=True)
class PlanConfig:
    """The planning phase: policy steps on imagined trajectories (MB, Eq. 8)."""

    steps: int = 30
    """Gradient steps per update round (the paper's p); dyna-trpo: trust-region steps."""
    batch: int = 64
    """Imagined trajectories per gradient step."""
    length: int = 10
    """Steps of an imagined trajectory (the paper's Tp)."""
    ended_length: int | None = None
    """dyna: --plan.length once the task has ended an episode of the agent's, as a short plan does not see a fall;
    None: no change."""
    demo_fraction: float = 0.5
    """Fraction of plans that start at states of the demonstrations; the rest start at replayed states."""
    recent_steps: int | None = None
    """Plans from replay start within this many of the latest env steps; None: in the whole replay."""

    def __post_init__(self) -> None:
        require(
            self,
            "plan.",
            steps=(self.steps >= 0, "at least 0"),
            batch=(self.batch >= 1, "at least 1"),
            length=(self.length >= 1, "at least 1"),
            ended_length=(self.ended_length is None or self.ended_length >= 1, "at least 1"),
            demo_fraction=(0 <= self.demo_fraction <= 1, "between 0 and 1"),
            recent_steps=(self.recent_steps is None or self.recent_steps >= 1, "at least 1"),
        )


@dataclass(frozen=True)
class RolloutConfig:
    """How the agent acts in the environment between two updates."""

    steps: int = 250
    """Env steps per iteration, at least: the episode under way is finished (gail, dyna-trpo: it is continued later)."""
    num_envs: int = 8
    """gail, dyna-trpo: copies of the environment that share the steps."""
    replay_capacity: int = 100_000
    """gail, dyna-trpo: env steps kept in replay; older ones are dropped when there are twice as many."""
    initial_states: Literal["reset", "demos", "mix"] = "mix"
    """Where episodes start: at the environment's reset, at simulator states of the demonstrations, or both."""
    demo_fraction: float = 0.8
    """With --rollout.initial-states mix: fraction of --rollout.steps in episodes from the demonstrations' states."""
    reset_length: int = 200
    """Longest episode from reset. Of a clone: --cloning.reset-length."""
    ended_length: int | None = None
    """dyna, mgail: --rollout.reset-length once the task has ended an episode of the agent's; None: no change."""
    demo_length: int = 50
    """Longest episode from a demonstration's state."""
    lost_after: int | None = None
    """dyna, mgail: an episode is cut off after so many steps in a row away from the demonstrations; None: never."""
    noise_std: float | None = None
    """dyna, mgail: standard deviation of continuous actions in the environment; None: --policy.noise-std."""

    def __post_init__(self) -> None:
        require(
            self,
            "rollout.",
            steps=(self.steps >= 1, "at least 1"),
            num_envs=(self.num_envs >= 1, "at least 1"),
            replay_capacity=(self.replay_capacity >= 1, "at least 1"),
            demo_fraction=(0 <= self.demo_fraction <= 1, "between 0 and 1"),
            reset_length=(self.reset_length >= 2, "at least 2"),
            ended_length=(self.ended_length is None or self.ended_length >= 2, "at least 2"),
            demo_length=(self.demo_length >= 2, "at least 2"),
            lost_after=(self.lost_after is None or self.lost_after >= 1, "at least 1"),
            noise_std=(self.noise_std is None or self.noise_std >= 0, "0 or more"),
        )
