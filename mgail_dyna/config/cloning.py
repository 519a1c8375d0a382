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
    """--warm-start bc: iterations during which a clone is frozen while D and the dynamics model catch up."""
    bc_weight: float = 10.0
    """--warm-start bc: the cloning loss beside the cost of Eq. 7 and 8 has the weight w, this times the square root of
    the number of demonstrated pairs. Where episodes stray from the demonstrations it is less: w^(1 - share), which is 1
    where all of an episode strays (`rollout/strayed`)."""
    slow_below: float | None = 0.5
    """--warm-start bc: while a clone's episodes are away from the demonstrations for a smaller share of their steps
    than this (`rollout/strayed`), it learns more slowly, in proportion; None: never."""
    fewer_updates_below: float | None = 0.1
    """--warm-start bc: as --cloning.slow-below, for the number of update rounds, of which at least a tenth is made;
    None: always all."""
    acting_averaging: float = 0.0
    """--warm-start bc: --policy.acting-averaging of a clone."""
    reset_length: int = 1_000
    """--warm-start bc: --rollout.reset-length of a clone."""
    trial_below: int = 6
    """--warm-start bc: with fewer demonstrations than this, a clone is on trial at first, in episodes of at most
    --rollout.reset-length. If they stray, it is thrown away, and the policy learns as without a warm start; 0: no
    trial. If the demonstrations are too far apart to see whether a clone strays (`cloning/seen` below 0.25, unless the
    expert mostly stands still), one that passes its trial stays as it is while the model errs (`dynamics/error_1` from
    0.3 on). With this many or more, it stays as it is until its episodes end early."""
    trial_steps: int = 1_000
    """Env steps of the trial, at least; or a tenth of --env-steps, if that is less."""
    trial_strayed: float = 0.15
    """Largest mean share of the trial's episodes (`rollout/strayed`) with which a clone is kept."""
    failed_reset_length: int | None = 1_000
    """--rollout.reset-length after a failed trial, once the task has ended an episode, if demonstrations are too far
    apart to see whether a policy strays: falls come late, and only they show then. None: no change."""
    failed_plan_length: int | None = 50
    """dyna: --plan.length there."""

    def __post_init__(self) -> None:
        slow, fewer = self.slow_below, self.fewer_updates_below
        require(
            self,
            "cloning.",
            learning_rate=(self.learning_rate > 0, "above 0"),
            steps=(self.steps >= 1, "at least 1"),
            batch=(self.batch >= 1, "at least 1"),
            interval=(self.interval >= 1, "at least 1"),
            freeze_iterations=(self.freeze_iterations >= 0, "at least 0"),
            bc_weight=(self.bc_weight >= 0, "at least 0"),
            slow_below=(slow is None or 0 < slow <= 1, "above 0 and at most 1"),
            fewer_updates_below=(fewer is None or 0 < fewer <= 1, "above 0 and at most 1"),
            acting_averaging=(0 <= self.acting_averaging < 1, "at least 0 and below 1"),
            reset_length=(self.reset_length >= 2, "at least 2"),
            trial_below=(self.trial_below >= 0, "at least 0"),
            trial_steps=(self.trial_steps >= 1, "at least 1"),
            trial_strayed=(0 <= self.trial_strayed <= 1, "between 0 and 1"),
            failed_reset_length=(self.failed_reset_length is None or self.failed_reset_length >= 2, "at least 2"),
            failed_plan_length=(self.failed_plan_length is None or self.failed_plan_length >= 1, "at least 1"),
        )
