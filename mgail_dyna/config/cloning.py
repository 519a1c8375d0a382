"""Behavioural cloning, alone (`--mode bc`) or as a start (`--warm-start bc`)."""

from __future__ import annotations

from dataclasses import dataclass

from mgail_dyna.config.checks import require


@dataclass(frozen=True)
class CloningConfig:
    """Behavioural cloning: regression of the expert's actions on its states. Used by bc and by --warm-start bc."""

    learning_rate: float = 1e-3
    """Adam's learning rate at the start."""
    steps: int = 20_000
    """Gradient steps. bc: or 100 times the square root of the number of pairs, if that is less: more overfit few
    pairs."""
    batch: int = 256
    """State-action pairs per gradient step."""
    interval: int = 500
    """Gradient steps per iteration."""
    freeze_iterations: int = 1
    """--warm-start bc: iterations during which the policy is frozen while D and the dynamics model catch up."""
    bc_weight: float = 10.0
    """--warm-start bc: the cloning loss beside the cost of Eq. 7 and 8 has the weight w, this times the square root of
    the number of demonstrated pairs. Where episodes stray from the demonstrations it is less: w^(1 - share), which is 1
    where all of an episode strays (`rollout/strayed`)."""
    trial_steps: int = 0
    """--warm-start bc: a clone is on trial for so many env steps at first; 0: it is not."""
    trial_length: int = 200
    """Longest episode of the trial. Where an expert's demonstrations begin, a clone has seen least."""
    trial_strayed: float = 0.15
    """If the trial's episodes stray more than this (`rollout/strayed`), the clone is thrown away: the policy starts
    from scratch, without the cloning loss, and episodes stay as short as the trial's."""

    def __post_init__(self) -> None:
        require(
            self,
            "cloning.",
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            batch=(self.batch >= 1, "at least 1"),
            interval=(self.interval >= 1, "at least 1"),
            freeze_iterations=(self.freeze_iterations >= 0, "at least 0"),
            bc_weight=(self.bc_weight >= 0, "at least 0"),
            trial_steps=(self.trial_steps >= 0, "at least 0"),
            trial_length=(self.trial_length >= 2, "at least 2"),
            trial_strayed=(0 <= self.trial_strayed <= 1, "between 0 and 1"),
        )
