"""What a run tells people: the rows of its evaluations, and how it ended."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np
from rich.table import Table

from mgail_dyna.cli.pace import duration
from mgail_dyna.cli.progress import Column
from mgail_dyna.cli.summary import summary_table
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reference import FAILURE, Reference
from mgail_dyna.errors import counted
from mgail_dyna.experiments.statistics import first_reached, lowest_after, share_after
from mgail_dyna.experiments.tables import LEVEL
from mgail_dyna.runs.final import FinalEpisodes
from mgail_dyna.runs.policies import BestPolicy

Row = dict[str, float]
# Below the row of a clone, and below the bar.
FIRST_IS_CLONE = "row 1 is the clone"
# Where its first update round leaves the policy as it is.
BOTH_ARE_CLONE = (
    "row 1 is the clone, and row 2 will be the same: iteration 2 trains only the discriminator and the model "
    "(10 s to 2 min)"
)
# Where its straying would not be seen.
CLONE_STAYS = (
    "row 1 is the clone, that of --mode bc; demonstrations this far apart do not show whether it strays, so it learns "
    "only once episodes end early"
)
# Where neither its straying is seen nor the model knows where it goes.
MODEL_ERRS = (
    "one step ahead the model errs by {:.2f} standard deviations of a state; while it errs by {} or more, the clone "
    "stays as it is; with --cloning.slow-below none it learns all the same"
)
GOOD_CLONE = (
    "the clone is good, so there is little to learn. Rows swing all the same: one failed episode lowers an evaluation "
    "by {:.0f} points. Ctrl-C ends the run after the iteration under way"
)
TRIAL = (
    "{:.0%} of the clone's first steps in the environment were away from the demonstrated states, or missing as an "
    "episode had ended early; at most {:.0%} are allowed: "
)
PASSED = f"{TRIAL}the clone is kept, and row 2 is the same clone"
FROM_SCRATCH = f"{TRIAL}the clone is thrown away. The policy learns from scratch, so its return may fall at first"
# Episodes that tell policies apart: as many as a run plays at its end by default.
MANY = 100
# A standard error of so many points is worth more episodes.
UNCERTAIN = 1.0
# So many points of percent from a good clone, a run ends where it began.
CLOSE = 2.0
# So many points below its clone, learning has made a run worse.
WORSE = 10.0
FIRST_UPDATES = "compiling, once, and the first updates: 10 s to 2 min"


def evaluations(history: Sequence[Row]) -> list[Row]:
    """The rows of a history that end with an evaluation."""
    return [row for row in history if not math.isnan(row["return_mean"])]


class EvaluationRows:
    """A run's evaluations as rows of text.

    Args:
        unit: of the agent's budget, in the plural.
        evaluated: whether there are evaluations; if not, rows show how far the run is.
        compared: whether returns can be compared with the expert's.
        timed: whether rows end with the time left.

    Attributes:
        columns: of the rows.
    """

    def __init__(self, unit: str, evaluated: bool, compared: bool, timed: bool = True) -> None:
        self.evaluated, self.compared, self.timed = evaluated, compared, timed
        returns = [Column("return", 10), *([Column("% of expert")] if compared else [])]
        returns.append(Column("change, %" if compared else "change", 9))
        clocks = [Column("time", 10), *([Column("time left", 10)] if timed else [])]
        self.columns = (Column("iteration"), Column(unit, 9), *(returns if evaluated else []), *clocks)

    def cells(self, row: Row, done: int, before: Row | None, left: str = "") -> list[str]:
        """The cells of a row.

        Args:
            row: of the history.
            done: steps of the budget.
            before: the evaluation before this one; None if there is none.
            left: the time left.
        """
        cells = [f"{row['iteration']:,.0f}", f"{done:,}"]
        if self.evaluated:
            shown = "expert_percent" if self.compared else "return_mean"
            change = "" if before is None else f"{round(row[shown], 1) - round(before[shown], 1):+,.1f}"
            if change in ("+0.0", "-0.0"):
                change = "0.0"
            percent = [f"{row['expert_percent']:,.1f}"] if self.compared else []
            cells += [f"{row['return_mean']:,.1f}", *percent, change]
        return [*cells, duration(row["wall_seconds"]), *([left] if self.timed else [])]


def about_clone(row: Row, frozen: bool, episodes: int, trusted: bool = False) -> list[str]:
    """What the row of a clone, the first one, says of the next ones, as lines.

    Args:
        row: of the history.
        frozen: whether the first updates leave the policy as it is; not if it may be thrown away.
        episodes: of an evaluation.
        trusted: whether it stays as it is until its episodes say otherwise.
    """
    first = CLONE_STAYS if trusted else BOTH_ARE_CLONE if frozen else FIRST_IS_CLONE
    good = row["expert_percent"] >= LEVEL and (trusted or frozen)  # NaN is not
    return [first, GOOD_CLONE.format(100 / episodes)] if good else [first]


def phrases_of(row: Row, horizon: int, phrases: Sequence[str]) -> list[str]:
    """The phrases below the bar: those of the algorithm for which `row` has all numbers.

    Args:
        row: of the history.
        horizon: T, the number of steps of a plan.
        phrases: of the algorithm, as its entry in the registry has them.
    """
    numbers = {name: value for name, value in row.items() if not math.isnan(value)} | {"T": horizon}
    judged = [numbers[name] for name in numbers if name.startswith("discriminator/accuracy_")]
    if judged:
        numbers["discriminator/accuracy"] = sum(judged) / len(judged)
    if f"dynamics/error_{horizon}" in numbers:
        numbers["dynamics/error_T"] = numbers[f"dynamics/error_{horizon}"]
    shown = []
    for phrase in phrases:
        with contextlib.suppress(KeyError):
            shown.append(phrase.format_map(numbers))
    return shown


def _place(row: Row) -> str:
    step = f", env step {row['env_steps']:,.0f}" if row["env_steps"] else ""
    return f"iteration {row['iteration']:,.0f}{step}"


def arrival(history: Sequence[Row]) -> dict[str, str]:
    """Whether the run reached 90% of the expert, when, and whether it stayed there; empty where nothing is compared.

    The numbers are those of the tables of the results, of one run and at each of its evaluations.
    """
    seen = [row for row in history if not math.isnan(row["expert_percent"])]
    if not seen:
        return {}
    percent, level = [row["expert_percent"] for row in seen], f"{LEVEL:g}% of expert"
    number = first_reached([row["iteration"] for row in seen], percent, LEVEL, 0)
    if math.isinf(number):
        return {level: f"not reached in an evaluation; the highest was {max(percent):.1f}%"}
    row = next(row for row in seen if row["iteration"] == number)
    after, cloned = f"after {duration(row['wall_seconds'])}", row["env_steps"] == 0
    reached = {level: f"reached {f'by the clone, {after}' if cloned else f'at {_place(row)}, {after}'}"}
    if row is seen[-1] or seen[-1]["env_steps"] == 0:  # a clone is not followed while it is made
        return reached
    count = sum(row["iteration"] >= number for row in seen)
    stayed = round(share_after(percent, LEVEL) * count)
    many, lowest = f"{stayed} of {counted(count, 'evaluation')}", lowest_after(percent, LEVEL)
    return reached | {"since then": f"{many} at {LEVEL:g}% of the expert or more; lowest {lowest:.1f}%"}


def at_the_end(final: FinalEpisodes, expert: Reference) -> str:
    """The final episodes in one line."""
    count = f"{len(final.returns):,} from initial states that no evaluation used"
    percents = final.percents(expert)
    if not np.isfinite(percents).all():
        spread = f"standard deviation {final.returns.std():,.1f}, lowest {final.returns.min():,.1f}"
        return f"{count}: {final.returns.mean():,.1f}, {spread}"
    failed = int((percents < FAILURE).sum())
    mean = percent_of(float(percents.mean()), float(final.returns.std()), len(percents), expert)
    own = f" (as are {expert.failures:.0%} of the demonstrations)" if expert.failures else ""
    return f"{count}: {mean}, lowest {percents.min():.1f}%, {failed} below {FAILURE:g}%{own}"


def percent_of(percent: float, deviation: float, episodes: int, expert: Reference) -> str:
    """The mean of `episodes` in percent of the expert, with its standard error; `deviation` is that of the returns."""
    if episodes < 2:
        return f"{percent:.1f}% of the expert"
    points = 100 * math.hypot(deviation / math.sqrt(episodes - 1), expert.error) / abs(expert.mean)
    whose = " of agent and expert together" if expert.error else ""
    return f"{percent:.1f} ± {points:.1f}% of the expert (standard error{whose})"


def end_of(history: Sequence[Row], final: FinalEpisodes | None, expert: Reference) -> float:
    """How a run ended, in percent of the expert: the final episodes, or if there are none the last evaluation.

    NaN where nothing is compared or nothing was played.
    """
    if final is not None:
        return float(final.percents(expert).mean())
    seen = evaluations(history)
    return seen[-1]["expert_percent"] if seen else math.nan


def beats_the_end(best: BestPolicy | None, history: Sequence[Row], episodes: int, final: FinalEpisodes | None) -> bool:
    """Whether the best evaluation was of an earlier policy, and above the run's end by more than its standard error.

    The highest of many evaluations is high by chance, too.

    Args:
        best: the best policy that was kept.
        history: of the run.
        episodes: of an evaluation.
        final: the episodes at the end.
    """
    seen = evaluations(history)
    if best is None or not seen or best.iteration == seen[-1]["iteration"]:
        return False
    spread = next((row["return_std"] for row in seen if row["iteration"] == best.iteration), 0.0)
    end = seen[-1]["return_mean"] if final is None else float(final.returns.mean())
    return best.return_mean - spread / math.sqrt(max(episodes, 1)) > end


def clones_return(history: Sequence[Row], config: ImitationConfig) -> float:
    """What the clone returned; NaN if there was none, or if it was not evaluated."""
    return history[0]["return_mean"] if config.warm_start == "bc" else math.nan


def _since_clone(history: Sequence[Row], end: float) -> str:
    """How good the clone was that a run started from, and what came of it, if the run ended at `end` percent."""
    clone = history[0]["expert_percent"]  # NaN without an evaluation
    good = "" if math.isnan(clone) else f", {clone:.1f}% of the expert"
    if any(row.get("cloning/kept") == 0 for row in history):
        return f"{good}; thrown away, as its episodes strayed"
    if clone >= LEVEL and abs(end - clone) < CLOSE:
        return f"{good}; the run ends within {CLOSE:g} points of it"
    return f"{good}; learning has made it worse" if end < clone - WORSE else good


def summary(
    title: str,
    history: Sequence[Row],
    config: ImitationConfig,
    best: BestPolicy | None,
    final: FinalEpisodes | None,
    expert: Reference,
) -> Table:
    """How a run ended.

    Args:
        title: of the table.
        history: of the run.
        config: of the run.
        best: the best policy that was kept.
        final: the episodes at the end.
        expert: whose return is 100%.
    """
    last, evaluated = history[-1], evaluations(history)
    rows: dict[str, str] = {}
    if evaluated:  # a run may end between two evaluations
        end = evaluated[-1]
        at = "" if end is last else f", at {_place(end)}"
        spread = end["return_std"], config.evaluation_episodes
        known = not math.isnan(end["expert_percent"])
        percent = f", {percent_of(end['expert_percent'], *spread, expert)}" if known else ""
        if final is not None:
            rows["final episodes"] = at_the_end(final, expert)
        rows["last evaluation"] = (
            f"{counted(config.evaluation_episodes, 'episode')}: {end['return_mean']:,.1f}, "
            f"standard deviation {end['return_std']:,.1f}{percent}{at}"
        )
        rows |= arrival(history)
        if best is not None and best.iteration != end["iteration"]:
            of_clone = " (the clone's)" if best.return_mean == clones_return(history, config) else ""
            where = _place({"iteration": best.iteration, "env_steps": best.env_steps})
            rows["best evaluation"] = f"{best.return_mean:,.1f}{of_clone} at {where}; `evaluate --best` plays it"
    if config.warm_start == "bc":
        rows["start"] = f"a clone of the demonstrations{_since_clone(history, end_of(history, final, expert))}"
    count = int(last["real_trajectories"])
    rows["env steps"] = f"{last['env_steps']:,.0f} in {count:,} {'trajectory' if count == 1 else 'trajectories'}"
    evaluation = last["evaluation_steps"] + (0 if final is None else final.steps.sum())
    rows["evaluation"] = f"{evaluation:,.0f} env steps, counted apart and not learned from"
    wall, cpu = (duration(last[f"{clock}_seconds"]) for clock in ("wall", "cpu"))
    rows["time"] = f"{wall}, and {cpu} of processor time; final episodes come on top"
    return summary_table(title, rows)
