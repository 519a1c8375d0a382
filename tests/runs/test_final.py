"""The final episodes of a run: when they are played, where they start, and what is kept of them."""

import dataclasses

import numpy as np
import pytest
from helpers import small_config

from mgail_dyna.demonstrations.reference import Reference
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import save_run
from mgail_dyna.runs.final import FINAL, FinalEpisodes, read_final, write_final
from mgail_dyna.runs.run import ImitationRun

pytestmark = pytest.mark.usefixtures("eager")


def run_of(demos, **changes):
    return ImitationRun(small_config(env_steps=150, final_episodes=3, **changes), demos, "dyna")


def test_the_final_episodes_are_the_last_policys_own_and_start_where_no_evaluation_does(cartpole_demos, tmp_path):
    run = run_of(cartpole_demos, evaluation_episodes=2)
    begun = []
    rows = list(run.iterate(before_final=begun.append))
    final = run.final
    assert len(final.returns) == 3 and begun == [1, 2, 3]
    again = [play_episode(run.evaluation_env, run.agent.acting, int(seed)) for seed in final.seeds]
    np.testing.assert_array_equal(final.returns, [episode.episode_return for episode in again])
    np.testing.assert_array_equal(final.steps, [len(episode) for episode in again])
    evaluated = range(run.evaluation_seed, run.evaluation_seed + 1_000)
    assert not set(final.seeds) & set(evaluated)
    assert rows[-1]["evaluation_steps"] + final.steps.sum() <= run.ledger.steps["evaluation"]
    save_run(tmp_path, run.state())
    np.testing.assert_array_equal(read_final(tmp_path).seeds, final.seeds)
    np.testing.assert_allclose(read_final(tmp_path).returns, final.returns)


def test_other_seeds_have_other_final_episodes(cartpole_demos):
    runs = [run_of(cartpole_demos, seed=seed) for seed in (0, 1)]
    for run in runs:
        list(run.iterate())
    assert not set(runs[0].final.seeds) & set(runs[1].final.seeds)


def test_a_run_that_is_not_over_has_none_and_one_that_is_extended_loses_them(cartpole_demos, tmp_path):
    run = run_of(cartpole_demos)
    list(run.iterate(1))
    assert run.final is None and not run.final_due
    list(run.iterate())
    save_run(tmp_path, run.state())
    assert (tmp_path / FINAL).exists()
    longer = ImitationRun(dataclasses.replace(run.config, env_steps=400), cartpole_demos, "dyna")
    longer.restore(run.state())
    assert longer.final is not None
    next(longer.iterate())
    save_run(tmp_path, longer.state())
    assert longer.final is None and not (tmp_path / FINAL).exists()


def test_a_run_that_was_stopped_before_them_plays_them_when_it_is_resumed(cartpole_demos):
    run = run_of(cartpole_demos)
    for _row in run.iterate():
        stopped = run.state()  # as `break` does after the last row
    resumed = run_of(cartpole_demos)
    resumed.restore(stopped)
    assert resumed.final_due and list(resumed.iterate()) == []
    np.testing.assert_array_equal(resumed.final.returns, run.final.returns)


def test_percents_are_of_the_expert_and_a_negative_return_counts_down_from_it():
    final = FinalEpisodes(np.arange(2), np.full(2, 5), np.array([50.0, 200.0]))
    np.testing.assert_allclose(final.percents(Reference(100.0, 5)), [50, 200])
    np.testing.assert_allclose(final.percents(Reference(-100.0, 5)), [250, 400])


@pytest.mark.parametrize("text", ["seed,steps\n1,2\n", "seed,steps,return\n1,2,many\n", "seed,steps,return\n1,2\n"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, text):
    (tmp_path / FINAL).write_text(text)
    with pytest.raises(UserError, match=f"{FINAL}: expected whole numbers and a return in every row") as error:
        read_final(tmp_path)
    assert "\n" not in str(error.value)


def test_nothing_written_is_nothing_read(tmp_path):
    write_final(tmp_path, None)
    assert read_final(tmp_path) is None
