"""How demonstrations are cloned, and what a run does that begins as a clone."""

from __future__ import annotations

from dataclasses import dataclass

from mgail_dyna.config.checks import require


@dataclass(frozen=True)
class CloningConfig:
    """Behavioural cloning: regression of the expert's actions on its states. Used by bc and by --warm-start bc."""

    learning_rate: float = 1e-3
    """Adam's, at the start."""
    steps: int = 20_000
    """Gradient steps, at most."""
    batch: int = 256
    """State-action pairs in a step."""
    held_out: float = 0.2
    """Share of the demonstrations kept from training, whole ones (single pairs where there is but one), at least 1."""
    interval: int = 500
    """Gradient steps between two looks at the held-out pairs."""
    patience: int = 10
    """Looks without a lower held-out loss after which training stops."""
    wait: int = 3
    """With --warm-start bc: iterations the clone waits for a discriminator and a model that know something."""
    pace: float = 0.2
    """With --warm-start bc: share of its learning rate the policy goes on with."""
    noise_std: float | None = None
    """With --warm-start bc: --policy.noise-std in the environment at first, fading to that of plans; None: as plans."""
    anchor: float = 0.0
    """With --warm-start bc: weight of cloning's loss beside the cost of Eq. 7 and 8 at first; 0 in the end."""
    plan_length: int | None = None
    """With --warm-start bc: --plan.length; the same as without if None."""
    expert_share: float = 0.5
    """With --warm-start bc: --plan.expert-share at most, as a clone's own states are worth planning from at once."""
    held_out_ratio: float = 2.5
    """With --warm-start bc: held-out loss over training loss beyond which the run begins untrained."""

    def __post_init__(self) -> None:
        require(
            self,
            "cloning.",
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            batch=(self.batch >= 1, "at least 1"),
            held_out=(0 < self.held_out < 1, "above 0 and below 1"),
            interval=(self.interval >= 1, "at least 1"),
            patience=(self.patience >= 1, "at least 1"),
            wait=(self.wait >= 0, "at least 0"),
            pace=(0 < self.pace <= 1, "above 0 and at most 1"),
            noise_std=(self.noise_std is None or self.noise_std > 0, "above 0"),
            anchor=(self.anchor >= 0, "at least 0"),
            plan_length=(self.plan_length is None or self.plan_length >= 1, "at least 1"),
            expert_share=(0 <= self.expert_share <= 1, "between 0 and 1"),
            held_out_ratio=(self.held_out_ratio > 0, "above 0"),
        )
