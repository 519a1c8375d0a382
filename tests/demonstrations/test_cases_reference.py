"""Percent of the expert: where it means something, and where it would mislead."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgail_dyna.cli.dataset_summary import summary, table
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.reference import ENDED, ended_by_task, reference
from mgail_dyna.environments.make import make_env
from mgail_dyna.types import Trajectory


def demos(returns, steps=50, terminated=False, **about):
    """CartPole's, one episode a return, with the whole return in the first step."""
    env = make_env("CartPole-v1")
    made = [
        Trajectory(
            observations=np.zeros((steps + 1, 4)),
            actions=np.zeros(steps, np.int64),
            rewards=np.eye(1, steps)[0] * value,
            terminated=terminated,
            truncated=not terminated,
        )
        for value in returns
    ]
    return Demonstrations(tuple(made), env.observation_space, env.action_space, **about)


@pytest.mark.parametrize(
    ("own", "found", "percent"),
    [(200, 100, 50), (200, 200, 100), (200, -100, -50), (-200, -200, 100), (-200, -400, 0), (-200, 0, 200)],
)
def test_percent_of_whole_episodes(own, found, percent):
    whole = reference(demos([own, own]), 50)
    assert (whole.mean, whole.episode_limit, whole.reason) == (own, 50, None)
    assert whole.percent(found) == percent


def none(found, *said):
    assert math.isnan(found.mean) and math.isnan(found.percent(100.0))
    assert found.reason is not None and "\n" not in found.reason
    for part in said:
        assert part in found.reason


def test_without_rewards_there_is_no_percentage():
    none(reference(demos([0, 0]), 50), "rewards are all 0, or there are none")


def test_demonstrations_cut_to_a_tenth_are_not_compared_with_whole_episodes():
    none(
        reference(demos([50, 50]), 500),
        "the demonstrations are cut at 50 steps where the environment's episodes last 500; returns cannot be compared",
    )


def apart(made):
    """The demonstrations with another first state each."""
    moved = [replace(t, observations=t.observations + n) for n, t in enumerate(made.trajectories)]
    return replace(made, trajectories=tuple(moved))


@pytest.mark.parametrize("marks", [{"terminated": True}, {"provenance": {ENDED: [0, 1, 2]}}])
def test_demonstrations_cut_to_a_tenth_and_marked_as_ended_by_the_task_are_not_compared(marks):
    cut = apart(demos([50, 50, 50], **marks))
    none(
        reference(cut, 500),
        "all 3 demonstrations are marked as ended by the task after exactly 50 steps, where the environment's "
        "episodes last up to 500: they seem to be cut there; returns cannot be compared",
    )


def test_a_task_that_ends_all_episodes_alike_keeps_its_percentage():
    whole = demos([50, 50, 50], terminated=True)
    assert reference(whole, 500).mean == 50, "from one and the same start"
    assert reference(apart(whole), 50).mean == 50, "at the limit, which is the longest demonstration's without another"
    assert reference(apart(demos([50], terminated=True)), 500).mean == 50, "one alone"
    assert reference(apart(demos([5, 5], steps=13, terminated=True)), 500).mean == 5, "two of few steps, by chance"
    uneven = apart(replace(whole, trajectories=(*whole.trajectories, *demos([50], 49, True).trajectories)))
    assert reference(uneven, 500).mean == 50


def test_of_longer_demonstrations_as_many_steps_count_as_the_environment_has():
    whole = demos([0, 0])
    paid = [replace(trajectory, rewards=np.ones(50)) for trajectory in whole.trajectories]
    assert reference(replace(whole, trajectories=tuple(paid)), 20).mean == 20


def test_episodes_the_task_ended_are_complete_however_short():
    assert reference(demos([50, 60], terminated=True), 500).mean == 55


def test_an_episode_that_lacks_its_last_step_alone_is_complete():
    assert reference(demos([50, 60]), 51).mean == 55
    none(reference(demos([50, 60]), 52), "cut at 50 steps")


def test_episodes_the_task_ended_with_a_step_that_the_file_lacks_are_complete():
    assert reference(demos([50, 60], provenance={ENDED: [0, 1]}), 500).mean == 55
    none(reference(demos([50, 60, 70], provenance={ENDED: [0]}), 500), "only 1 of 3 demonstrations are complete")
    none(reference(demos([50, 60], provenance={ENDED: "all"}), 500), "cut")


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ([0, 1, 2], "3, of which 3 terminated (in each the last step was left out in reading)"),
        ([1], "3, of which 1 terminated (in each the last step was left out in reading)"),
        ([], "3, of which 0 terminated"),
        ([0, 7, -1], "3, of which 1 terminated (in each the last step was left out in reading)"),
    ],
)
def test_the_summary_counts_what_the_percentage_counts(ended, said):
    made = demos([50, 60, 70], provenance={ENDED: ended})
    assert next(cell for cell in cells(made) if "terminated" in cell) == said
    assert summary(made, Path("x"))["terminated"] == len(ended_by_task(made))
    both = replace(made, trajectories=(*demos([1, 1], terminated=True).trajectories, *made.trajectories))
    mixed = replace(both, provenance={ENDED: [4]})
    assert "5, of which 3 terminated (in 1 of them the last step was left out in reading)" in cells(mixed)


def cells(made):
    return list(table(made, Path("x")).columns[1].cells)


def test_complete_episodes_alone_count_and_few_of_them_say_nothing():
    """Those that end early are the bad ones: a mean of them alone would flatter the agent."""
    short, long = demos([20, 20], steps=20, terminated=True), demos([50] * 2, steps=50)
    both = replace(short, trajectories=short.trajectories + long.trajectories)
    none(reference(both, 500), "only 2 of 4 demonstrations are complete, and the others are cut")
    one = replace(short, trajectories=(*apart(short).trajectories, long.trajectories[0]))
    assert reference(one, 500).mean == 20, "a file may end within an episode"
    more = replace(short, trajectories=short.trajectories + 2 * long.trajectories)
    none(reference(more, 500), "only 2 of 6 demonstrations are complete, and the others are cut")


@pytest.mark.parametrize("returns", [[1, 1, 1, -1, -1, -1 + 1e-9], [5, -5], [3, -1, -2], [1, 0, 0, 0]])
def test_a_mean_near_0_gives_no_percentage(returns):
    none(reference(demos(returns), 50), "within two standard errors", "of 0")


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (1.0, "return of 1.0 is within two standard errors (4.0 each) of 0"),
        (1000.0, "return of 1,000.0 is within two standard errors (4,000.0 each) of 0"),
        (0.001, "return of 0.0010 is within two standard errors (0.0040 each) of 0"),
    ],
)
def test_returns_in_notes_have_no_exponent(scale, said):
    none(reference(demos([5 * scale, -3 * scale]), 50), said)


def test_large_returns_in_the_note_on_their_spread_have_no_exponent():
    doubt = reference(demos([10_000, 14_000, 16_000, 12_000]), 50).doubt
    assert "returns vary (mean 13,000.0, standard deviation 2,236.1, 4 episodes)" in doubt


def test_a_mean_that_is_not_known_well_is_said_to_be_so():
    vary, steady = reference(demos([10, 4, 16, 12, 8, 4]), 50), reference(demos([10, 11, 9, 10]), 50)
    assert (
        "returns vary (mean 9.0, standard deviation 4.3, 6 episodes)" in vary.doubt
        and "uncertain by 21 points" in vary.doubt
    )
    assert vary.failures == pytest.approx(2 / 6) and steady.failures == 0
    assert reference(demos([10, 10.1, 9.9, 10]), 50).doubt is None


def test_one_demonstration_has_no_standard_error():
    assert reference(demos([3]), 50).mean == 3


def test_a_mean_well_away_from_0_gives_one():
    assert reference(demos([10, 11, 9, 10]), 50).percent(10) == 100
    assert reference(demos([-10, -11, -9, -10]), 50).percent(-10) == 100
