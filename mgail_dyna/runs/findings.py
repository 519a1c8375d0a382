"""What `doctor` looks for in a run, as data. docs/troubleshooting.md prints the same table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mgail_dyna.demonstrations.faults import RESETS
from mgail_dyna.runs import evidence
from mgail_dyna.runs.changes import Change
from mgail_dyna.runs.evidence import FEW_FAIL, LEARNED, STOPPED, Evidence


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
        changes: settings to try, one at a time.
        commands: other commands to try. RUN, ENV and EXPERT stand for the run's own, SEED for a final episode that
            fails, LIMIT for the longest episode and MORE for twice the env steps.
        advice: what else to try.
        settings: whose work is measured; a run that ignores one of them never has the numbers.
    """

    name: str
    reads: str
    measure: Callable[[Evidence], float | None]
    threshold: float
    worst: float
    form: str
    meaning: str
    changes: tuple[Change, ...] = ()
    commands: tuple[str, ...] = ()
    advice: str = ""
    settings: tuple[str, ...] = ()

    @property
    def tries(self) -> str:
        """All that can be tried, in one line."""
        rest = [self.advice] if self.advice else []
        return "; ".join([*map(str, self.changes), *(f"`{command}`" for command in self.commands), *rest])

    @property
    def when(self) -> str:
        """The threshold in words."""
        return f"{'above' if self.worst > self.threshold else 'below'} {self.form.format(self.threshold)}"

    def severity(self, value: float) -> float:
        """0 at the threshold or on its good side, 1 at the worst or beyond."""
        return min(max((value - self.threshold) / (self.worst - self.threshold), 0.0), 1.0)


FINDINGS = (
    Finding(
        "the return was still rising",
        "mean `expert_percent` of the last fifth of the evaluations, at least two, minus that of the fifth before; "
        f"only where the end is below {LEARNED:.0f}%",
        evidence.rising,
        5.0,
        10.0,
        "{:.0f} points",
        "learning was not over",
        commands=("--resume RUN --env-steps MORE",),
    ),
    Finding(
        "the agent was never near the expert",
        "the highest `expert_percent`, or the mean of the final episodes if that is higher",
        evidence.highest,
        LEARNED,
        evidence.LOW,
        "{:.0f}%",
        "no evaluation came near the expert; the other findings may say why",
        commands=("--env ENV --mode bc", "data check EXPERT --env ENV --plot check.png"),
    ),
    Finding(
        "some observations vary only in the environment",
        f"observations that never vary in the demonstrations and have other values at {RESETS} resets of the "
        "environment; only where the end is below 90%",
        evidence.held_still,
        0.0,
        1.0,
        "{:.0f}",
        "the policy cannot learn what they mean, such as a goal or a load",
        commands=("data check EXPERT --env ENV",),
        advice="demonstrations in which they vary",
    ),
    Finding(
        "learning has made the clone worse",
        "`expert_percent` of the clone minus the end",
        evidence.below_clone,
        10.0,
        100.0,
        "{:.0f} points",
        "D and the model mislead the policy where the demonstrations are few, or contradict each other",
        commands=("--env ENV --mode bc", "data check EXPERT --env ENV --plot check.png"),
        advice="more demonstrations",
        settings=("cloning", "warm_start"),
    ),
    Finding(
        "the return rose and fell again",
        "the highest `expert_percent` minus the end",
        evidence.fallen,
        20.0,
        100.0,
        "{:.0f} points",
        "D has memorised the demonstrations, most often where they are few",
        (
            Change("plan.length", 50),
            Change("discriminator.gradient-penalty", times=2.0),
            Change("plan.demo-fraction", 0.5),
        ),
        ("evaluate RUN --best",),
    ),
    Finding(
        "the return swings",
        "mean change of `expert_percent` between the last evaluations, ten at most, less their trend",
        evidence.swing,
        10.0,
        50.0,
        "{:.0f} points",
        "too few episodes an evaluation, too little averaging, or some initial states fail",
        (
            Change("evaluation-episodes", times=2.0),
            Change("policy.acting-averaging", 0.95),
            Change("rollout.reset-length", times=2.0),
        ),
    ),
    Finding(
        "some evaluation episodes fail",
        "the last `return_std` minus the demonstrations', in percent of the expert's return",
        evidence.spread,
        25.0,
        100.0,
        "{:.0f}%",
        "the policy fails from some initial states, and succeeds from others",
        (Change("rollout.reset-length", times=2.0),),
        ("doctor RUN --play",),
        "more demonstrations",
    ),
    Finding(
        "final episodes fail",
        "percent of the final episodes (`final_episodes.csv`) below half of the expert's return, minus the percent of "
        "the demonstrations below it",
        evidence.final_failures,
        FEW_FAIL,
        50.0,
        "{:.1f}%",
        "the policy fails from some initial states",
        commands=(
            "evaluate RUN --episodes 1 --seed SEED --video seed-SEED.mp4 --video-steps LIMIT",
            "--resume RUN --env-steps MORE",
        ),
        advice="more demonstrations",
    ),
    Finding(
        "learning has stopped",
        "`cloning/rate`, the factor on a clone's learning rate; only where final episodes fail or the end is below 90%",
        evidence.stopped,
        STOPPED,
        0.0,
        "{:.3f}",
        "the learning rate of this clone is near 0, as it is hardly seen to stray, or the model errs; so more env "
        "steps change nothing",
        advice="more demonstrations, of initial states from which it fails; or --cloning.slow-below none: it learns "
        "all the same, and may get worse",
        settings=("cloning", "warm_start"),
    ),
    Finding(
        "episodes end early",
        "mean length of the episodes of the last evaluations, ten at most (`evaluation_steps`), as a share of the "
        "demonstrations' mean, or of their lower quartile where at least half of them terminate",
        evidence.length,
        0.8,
        0.0,
        "{:.2f}",
        "the agent fails early; if late in the episode, plans are too short, or start too early",
        (Change("plan.length", 50), Change("plan.recent-steps", most=5_000), Change("plan.demo-fraction", 0.5)),
        advice="more demonstrations",
    ),
    Finding(
        "the discriminator has won",
        "the lower of `discriminator/accuracy_agent` and `discriminator/accuracy_expert`; only with a model",
        evidence.recognised,
        0.95,
        1.0,
        "{:.3f}",
        "D recognises nearly all pairs of both kinds, so its slope carries no signal",
        (
            Change("cost", "logit"),
            Change("discriminator.gradient-penalty", times=2.0),
            Change("discriminator.steps", times=0.5),
            Change("discriminator.imagined-fraction", 0.5),
        ),
        settings=("discriminator.steps",),
    ),
    Finding(
        "the discriminator sees no difference",
        f"`discriminator/loss`, if the end is below {evidence.LOW:.0f}%",
        evidence.blind,
        1.35,
        2 * math.log(2),
        "{:.2f}",
        "D cannot separate the pairs (1.39) although the return is low",
        (
            Change("discriminator.whitening", 1.0),
            Change("discriminator.gradient-penalty", times=0.5),
            Change("discriminator.learning-rate", times=2.0),
        ),
        advice="more demonstrations",
        settings=("discriminator.steps",),
    ),
    Finding(
        "the model predicts little better than no change",
        "`dynamics/loss` divided by d / 2 (d: size of a state); about 1 if the model predicts no change",
        evidence.model_loss,
        0.5,
        1.0,
        "{:.2f}",
        "plans lead to states that the environment would not reach",
        (
            Change("dynamics.steps", times=2.0),
            Change("rollout.steps", times=2.0),
            Change("dynamics.units", times=2.0),
        ),
        advice="look for coordinates that seldom change and then by a lot",
        settings=("dynamics.steps",),
    ),
    Finding(
        "the model errs on new steps",
        "`dynamics/error_1`",
        lambda run: run.mean("dynamics/error_1"),
        0.5,
        2.0,
        "{:.2f}",
        "the model does not know where the agent is",
        (Change("rollout.steps", times=2.0), Change("dynamics.steps", times=2.0)),
        settings=("dynamics.steps",),
    ),
    Finding(
        "the policy is at its bounds",
        "share of the policy's actions at the action space's bounds in the demonstrated states, minus the "
        "demonstrations' share; from the checkpoint",
        lambda run: run.at_bounds,
        0.25,
        1.0,
        "{:.2f}",
        "near a bound the tanh passes hardly any gradient on, so the policy is stuck there",
        (Change("policy.learning-rate", times=0.5), Change("discriminator.gradient-penalty", times=2.0)),
        ("data check EXPERT --env ENV",),
        "whether the demonstrations' actions have the environment's units",
    ),
    Finding(
        "planning gradients explode",
        "`plan/gradient_norm`, if it is above ten times `learn/gradient_norm`",
        evidence.exploding,
        100.0,
        1_000.0,
        "{:.0f}",
        "unstable dynamics or long plans",
        (Change("policy.bptt-clip-norm", times=0.5), Change("plan.length", times=0.5)),
        settings=("plan.length", "policy.clip_norm"),
    ),
    Finding(
        "the line search finds no improvement",
        "`policy/step_accepted` (gail, dyna-trpo)",
        lambda run: run.mean("policy/step_accepted"),
        0.9,
        0.0,
        "{:.2f}",
        "steps are refused, so the policy does not change",
        (Change("trust-region.max-kl", times=0.5), Change("rollout.steps", times=2.0)),
        settings=("trust_region.gae_lambda",),
    ),
    Finding(
        "the value network does not follow",
        "`policy/explained_variance` (gail, dyna-trpo)",
        lambda run: run.mean("policy/explained_variance"),
        0.0,
        -1.0,
        "{:.2f}",
        "the advantages that the policy learns from are mostly noise",
        (Change("rollout.steps", times=2.0), Change("trust-region.value-epochs", times=2.0)),
        settings=("trust_region.gae_lambda",),
    ),
)
