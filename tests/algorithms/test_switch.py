"""The adaptive switch: its rule on made-up measures, and an agent whose episodes wait for it."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import assert_same_weights, small_config, without_clocks

from mgail_dyna.algorithms.switch import AdaptiveSwitch, sureness
from mgail_dyna.hdf5 import load_state, save_state
from mgail_dyna.runs.run import ImitationRun


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [(0.0, 0.0, 0.0), (0.0, 0.5, 0.0), (0.8, 0.0, 0.0), (0.8, 0.4, 0.5), (0.8, 0.8, 1.0), (0.5, 0.9, 1.0)],
)
def test_the_model_is_sure_where_it_foresees_new_steps_as_it_does_known_ones(known, new, expected):
    assert sureness(known, new) == expected


class Measured:
    """Gives fixed answers in turn; remembers from how many env steps, and what its generator would draw."""

    def __init__(self, *answers):
        self.answers, self.steps, self.drawn = list(answers), [], []

    def __call__(self, rng, steps):
        self.steps.append(steps)
        self.drawn.append(rng.integers(2**31))
        return self.answers.pop(0)


def adaptive(*answers, **changes):
    measure = Measured(*answers)
    return AdaptiveSwitch(small_config(switch="adaptive", **changes), measure), measure


@pytest.mark.parametrize(("new", "decisions"), [((0.73,), [True]), ((0.71,), [False, True])])
def test_an_iteration_takes_a_fifth_of_a_rollout_where_the_model_is_sure_and_two_where_it_is_not(new, decisions):
    switch, measure = adaptive(0.9, *new, 0.6, rollout={"steps": 250})
    switch.begin(iteration=3, known_steps=700)
    assert [switch.enough() for _ in decisions] == decisions
    expected = {"known": 0.9, "new": 0.6, "sureness": 0.6 / 0.9, "env_steps": 150}
    assert switch.report(150) == pytest.approx(expected)
    assert measure.steps == [None, 50, 150]


def test_a_new_iteration_decides_anew():
    switch, _ = adaptive(0.9, 0.1, 0.9, 0.1)
    for iteration in (3, 4):
        switch.begin(iteration, known_steps=700)
        assert [switch.enough(), switch.enough()] == [False, True]


def test_before_anything_is_known_nothing_is_sure():
    switch, measure = adaptive(0.7)
    switch.begin(iteration=0, known_steps=0)
    assert not any(switch.enough() for _ in range(3))
    assert not measure.steps
    report = switch.report(128)
    assert report["sureness"] == 0.0 and report["new"] == 0.7


def test_what_is_measured_is_drawn_anew_in_every_iteration_and_alike_in_every_run():
    drawn = []
    for iteration in (0, 1, 1):
        switch, measure = adaptive(0.9, 0.5, 0.5)
        switch.begin(iteration, 10)
        switch.enough()
        switch.report(10)
        drawn.append(measure.drawn)
    assert drawn[1] == drawn[2] and len({*drawn[0], *drawn[1]}) == 6


def run_of(demos, env_id="CartPole-v1", **changes):
    return ImitationRun(small_config(env_id=env_id, **changes), demos)


def answering(run, known, new):
    """Lets the switch of `run` measure, and tells it something else."""
    measure = run.agent.switch.foreseen
    run.agent.switch.foreseen = lambda rng, steps: measure(rng, steps) * 0.0 + (known if steps is None else new)
    return run


@pytest.mark.usefixtures("eager")
def test_every_iteration_makes_all_updates(cartpole_demos):
    changes = {"updates_per_iteration": 10, "rollout": {"steps": 100, "reset_length": 20}}
    run = answering(run_of(cartpole_demos, switch="adaptive", **changes), known=1.0, new=1.0)
    list(run.iterate(iterations=1))
    made = []
    for part in ("update_discriminator", "learn", "update_dynamics", "plan"):
        setattr(run.agent, part, lambda rate, part=part: made.append(part) or {"done": 1.0})
    (row,) = run.iterate(iterations=2)
    assert row["switch/env_steps"] == 20
    assert made == ["update_discriminator", "learn", "update_dynamics", "plan"] * 10
    assert row["learn/done"] == row["dynamics/done"] == row["plan/done"] == 1.0


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("new", "taken"), [(1.0, 20), (0.5, 40)])
def test_it_takes_more_env_steps_where_it_is_unsure(cartpole_demos, trained, new, taken):
    rollout = {"steps": 100, "reset_length": 30}
    run = answering(run_of(cartpole_demos, switch="adaptive", rollout=rollout), known=1.0, new=new)
    first, *rest = run.iterate(iterations=3)
    assert first["switch/env_steps"] >= 100, "nothing is known before the first rollout, so it is whole"
    assert [row["switch/env_steps"] for row in rest] == [taken] * 2
    fixed = trained("dyna")
    assert run.agent.idle_env is None and fixed.agent.idle_env is not None, "episodes wait while others are evaluated"
    assert not any(name.startswith("switch/") for row in fixed.history for name in row)


@pytest.mark.usefixtures("eager")
def test_where_it_is_sure_the_episode_waits_and_is_continued(cheetah_demos):
    rollout = {"steps": 80, "initial_states": "mix", "demo_fraction": 0.25, "demo_length": 30, "reset_length": 50}
    run = answering(run_of(cheetah_demos, "HalfCheetah-v5", switch="adaptive", rollout=rollout), known=1.0, new=1.0)
    rows = list(run.iterate(iterations=11))
    # The first rollout is whole: 30 steps from a demonstration's state and 50 from reset. Then it is 16 at a time.
    taken = np.diff([0, *(row["env_steps"] for row in rows)])
    assert taken.tolist() == [80] + [16] * 10
    assert [row["switch/env_steps"] for row in rows] == taken.tolist()
    assert [row["real_trajectories"] for row in rows] == [2, 3, 4, 4, 4, 4, 5, 6, 6, 6, 6], "as in the fixed schedule"
    assert run.agent.collector.rollout_steps == 0, "the third one is whole, and the fourth has not begun"
    assert rows[-1]["rollout/length"] == 50
    first, last = (run.agent.replay.state()[name] for name in ("first", "last"))
    whole = [(0, 30), (31, 81), (82, 112), (113, 163), (164, 194), (195, 245)]
    assert sorted(set(zip(first, last, strict=True))) == whole


@pytest.mark.usefixtures("eager")
def test_every_step_of_the_budget_is_taken_once(cartpole_demos):
    run = answering(run_of(cartpole_demos, switch="adaptive", env_steps=333), known=1.0, new=1.0)
    rows = list(run.iterate())
    assert rows[-1]["env_steps"] == run.agent.env_steps == run.agent.replay.steps == 333
    assert run.agent.collector.episode is None
    assert len(rows) > 3


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("env_id", ["CartPole-v1", pytest.param("HalfCheetah-v5", marks=pytest.mark.slow)])
def test_a_run_resumed_amid_an_episode_equals_an_uninterrupted_one(env_id, request, tmp_path):
    demos = request.getfixturevalue("cheetah_demos" if "Cheetah" in env_id else "cartpole_demos")
    rollout = {"steps": 30, "lost_after": 20}
    changes = {"switch": "adaptive", "sure_from": 0.01, "updates_per_iteration": 3, "rollout": rollout}
    if "Cheetah" in env_id:
        changes["rollout"] = {**rollout, "initial_states": "mix"}
    whole, saved, resumed = (run_of(demos, env_id, **changes) for _ in range(3))
    for run in (whole, saved, resumed):
        measure = run.agent.foreseen
        run.agent.switch.foreseen = lambda rng, steps, measure=measure: 0.1 + measure(rng, steps)
    list(saved.iterate(iterations=3))
    waiting = saved.agent.collector.episode
    assert waiting is not None and len(waiting) > 0
    save_state(tmp_path / "checkpoint.h5", saved.state(), "a test")
    resumed.restore(load_state(tmp_path / "checkpoint.h5", "a test"))
    list(resumed.iterate(iterations=8))
    list(whole.iterate(iterations=8))
    np.testing.assert_equal(without_clocks(resumed.history), without_clocks(whole.history))  # NaN equals NaN
    assert resumed.ledger.state() == whole.ledger.state()
    assert_same_weights(resumed.agent.acting, whole.agent.acting)


@pytest.mark.usefixtures("eager")
def test_a_checkpoint_without_a_rollout_under_way_is_read(cartpole_demos, trained):
    state = trained("dyna").agent.state()
    old = {name: value for name, value in state.items() if name not in ("rollout_steps", "episode")}
    run = run_of(cartpole_demos)
    run.agent.restore(old)
    assert (run.agent.env_steps, run.agent.collector.rollout_steps) == (state["env_steps"], 0)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("algorithm", ["dyna", "dyna-natural"])
def test_its_decisions_are_logged(algorithm, cartpole_demos):
    run = ImitationRun(small_config(algorithm, switch="adaptive", updates_per_iteration=2), cartpole_demos, algorithm)
    rows = list(run.iterate(iterations=4))
    names = ("known", "new", "sureness", "env_steps")
    for row in rows:
        assert {name for name in row if name.startswith("switch/")} == {f"switch/{name}" for name in names}
        assert np.isfinite([row[name] for name in row if name.split("/")[0] in ("switch", "learn", "plan")]).all()
    assert rows[0]["switch/known"] == rows[0]["switch/sureness"] == 0.0
    assert sum(row["switch/env_steps"] for row in rows) == run.env_steps


def test_only_dyna_and_what_it_is_made_of_switches(cartpole_demos):
    for algorithm in ("mgail", "gail", "dyna-trpo", "bc"):
        config = replace(small_config(algorithm), switch="adaptive")
        run = ImitationRun(config, cartpole_demos, algorithm)
        assert getattr(run.agent, "switch", None) is None or run.agent.switch.every is None
