"""What `doctor` looks for in a run, as data. docs/troubleshooting.md prints the same table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mgail_dyna.runs import evidence
from mgail_dyna.runs.evidence import Evidence

# A run that ends below this percentage of its expert has not learned.
LEARNED = 80.0
# So many percent of its final episodes may fail.
FEW_FAIL = 1.0


@dataclass(frozen=True)
class Finding:
    """Something that can be wrong with a run.

    Attributes:
        name: of it, in a few words.
        reads: what is measured, for people; columns of `progress.csv` in backquotes.
        measure: measures it; None where it is not recorded or does not apply.
        threshold: beyond which it is found.
        worst: as bad as it gets, on the same side of the threshold.
        form: format of these numbers.
        meaning: likely cause or consequence.
        advice: what to try.
    """

    name: str
    reads: str
    measure: Callable[[Evidence], float | None]
    threshold: float
    worst: float
    form: str
    meaning: str
    advice: str

    @property
    def when(self) -> str:
        """The threshold in words."""
        return f"{'above' if self.worst > self.threshold else 'below'} {self.form.format(self.threshold)}"

    def severity(self, value: float) -> float:
        """0 at the threshold or on its good side, 1 at the worst or beyond."""
        return min(max((value - self.threshold) / (self.worst - self.threshold), 0.0), 1.0)


FINDINGS = (
    Finding(
        "the agent was never near the expert",
        "the highest `expert_percent`",
        evidence.highest,
        LEARNED,
        0.0,
        "{:.0f}%",
        "no evaluation came near the expert; the other findings may say why",
        "`--mode bc`: if cloning fails too, look at the demonstrations first; then more `--env-steps`",
    ),
    Finding(
        "the return rose and fell again",
        "the highest `expert_percent` minus the last",
        evidence.fallen,
        20.0,
        100.0,
        "{:.0f} points",
        "D has memorised the demonstrations, most often where they are few",
        "longer plans (`--plan.length 50`), a larger `--discriminator.gradient-penalty`, `--plan.demo-fraction 0.5`; "
        "`evaluate RUN --best` plays the best policy",
    ),
    Finding(
        "the return swings",
        "mean change of `expert_percent` between the last ten evaluations, less their trend",
        evidence.swing,
        10.0,
        50.0,
        "{:.0f} points",
        "too little averaging, or some initial states fail",
        "`--policy.acting-averaging 0.95`, more `--evaluation-episodes`, longer `--rollout.reset-length`",
    ),
    Finding(
        "some evaluation episodes fail",
        "the last `return_std` minus the demonstrations', in percent of the expert's return",
        evidence.spread,
        25.0,
        100.0,
        "{:.0f}%",
        "the policy fails from some initial states, and succeeds from others",
        "`doctor RUN --play` names those that fail; more demonstrations, longer `--rollout.reset-length`",
    ),
    Finding(
        "some final episodes fail",
        "percent of `final_episodes.csv` below half of the expert's return, beyond the expert's own such episodes",
        evidence.final_failures,
        FEW_FAIL,
        50.0,
        "{:.1f}%",
        "the policy fails from some initial states",
        "`evaluate RUN --episodes 1 --seed SEED --video film.mp4` shows one, with a seed of `final_episodes.csv`; "
        "more demonstrations, more `--env-steps`",
    ),
    Finding(
        "episodes end early",
        "mean length of the last ten evaluations' episodes (`evaluation_steps`), as a share of the demonstrations'",
        evidence.length,
        0.8,
        0.0,
        "{:.2f}",
        "the agent fails early; if late in the episode, plans are too short, or start too early",
        "`--plan.length 50`, `--plan.recent-steps 5000`, `--plan.demo-fraction 0.5`",
    ),
    Finding(
        "the discriminator has won",
        "the lower of `discriminator/accuracy_agent` and `discriminator/accuracy_expert`; only with a model",
        evidence.recognised,
        0.95,
        1.0,
        "{:.3f}",
        "D recognises nearly all pairs of both kinds, so its slope carries no signal",
        "`--cost logit`, a larger `--discriminator.gradient-penalty`, fewer `--discriminator.steps`, "
        "`--discriminator.imagined-fraction 0.9`",
    ),
    Finding(
        "the discriminator sees no difference",
        f"`discriminator/loss`, if the last `expert_percent` is below {evidence.LOW:.0f}%",
        evidence.blind,
        1.35,
        2 * math.log(2),
        "{:.2f}",
        "D cannot separate the pairs (1.39) although the return is low",
        "`--discriminator.whitening 1`, a smaller `--discriminator.gradient-penalty`, a higher "
        "`--discriminator.learning-rate`, more demonstrations",
    ),
    Finding(
        "the model predicts little better than no change",
        "`dynamics/loss` as a share of d / 2, which predicting no change costs in d dimensions",
        evidence.model_loss,
        0.5,
        1.0,
        "{:.2f}",
        "plans lead to states that the environment would not reach",
        "more `--dynamics.steps`, more `--rollout.steps`, a larger `--dynamics.units`; "
        "look for coordinates that seldom change and then by a lot",
    ),
    Finding(
        "the model errs on new steps",
        "`dynamics/error_1`",
        lambda run: run.mean("dynamics/error_1"),
        0.5,
        2.0,
        "{:.2f}",
        "the model does not know where the agent is",
        "more `--rollout.steps` and `--dynamics.steps`",
    ),
    Finding(
        "the policy is at its bounds",
        "share of the policy's actions at the action space's bounds in the demonstrated states, minus the "
        "demonstrations' share; from the checkpoint",
        lambda run: run.at_bounds,
        0.25,
        1.0,
        "{:.2f}",
        "clipped actions pass no gradient on, so the policy is stuck there",
        "a smaller `--policy.learning-rate`, a larger `--discriminator.gradient-penalty`; "
        "`data check` shows whether the demonstrations' actions have the environment's units",
    ),
    Finding(
        "planning gradients explode",
        "`plan/gradient_norm`, if it is above ten times `learn/gradient_norm`",
        evidence.exploding,
        100.0,
        1_000.0,
        "{:.0f}",
        "unstable dynamics or long plans",
        "a smaller `--policy.bptt-clip-norm`, a shorter `--plan.length`",
    ),
    Finding(
        "the line search finds no improvement",
        "`policy/step_accepted` (gail, dyna-trpo)",
        lambda run: run.mean("policy/step_accepted"),
        0.9,
        0.0,
        "{:.2f}",
        "steps are refused, so the policy does not change",
        "a smaller `--trust-region.max-kl`, more `--rollout.steps`",
    ),
    Finding(
        "the value network does not follow",
        "`policy/explained_variance` (gail, dyna-trpo)",
        lambda run: run.mean("policy/explained_variance"),
        0.0,
        -1.0,
        "{:.2f}",
        "the advantages that the policy learns from are mostly noise",
        "more `--rollout.steps`, more `--trust-region.value-epochs`",
    ),
)
