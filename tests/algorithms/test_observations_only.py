"""Imitation of states alone: no agent looks at the expert's actions, and what needs them is refused."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import assert_same_weights, small_config

from mgail_dyna.algorithms.registry import ALGORITHMS, imitation_preset
from mgail_dyna.errors import UserError
from mgail_dyna.runs.run import ImitationRun

pytestmark = pytest.mark.usefixtures("eager")
MODES = [name for name in ALGORITHMS if name != "bc"]


def with_actions(demos, change):
    return replace(demos, trajectories=tuple(replace(t, actions=change(t.actions)) for t in demos.trajectories))


@pytest.mark.parametrize("algorithm", MODES)
def test_nothing_depends_on_the_experts_actions(algorithm, cartpole_demos):
    follows = 0.0 if algorithm in ("gail", "dyna-trpo") else 1.0
    config = small_config(
        algorithm, observations_only=True, follow_weight=follows, discriminator={"imagined_fraction": 0.25}
    )
    runs = []
    for demos in (cartpole_demos, with_actions(cartpole_demos, lambda _: None), with_actions(cartpole_demos, np.flip)):
        runs.append(ImitationRun(config, demos, algorithm))
        list(runs[-1].iterate(iterations=2))
    for other in runs[1:]:
        assert_same_weights(runs[0].agent.acting, other.agent.acting)
    metrics = runs[0].history[-1]
    assert all(np.isfinite(metrics[name]) for name in metrics if name.startswith(("discriminator", "dynamics", "plan")))


def test_continuous_actions_without_bounds_have_the_unit_one(cheetah_demos):
    space = cheetah_demos.action_space
    boundless = type(space)(np.full_like(space.low, -np.inf), np.full_like(space.high, np.inf))
    demos = with_actions(replace(cheetah_demos, action_space=boundless), lambda _: None)
    np.testing.assert_array_equal(demos.action.scale, np.ones(6))


@pytest.mark.parametrize(
    ("algorithm", "changes", "message"),
    [
        ("bc", {}, r"--mode bc: expected demonstrations with actions, found none"),
        ("dyna", {"warm_start": "bc"}, r"--warm-start bc: expected demonstrations with actions, found none"),
        ("dyna", {"subsample": 2}, r"--subsample: expected 1 without actions, .*, found 2"),
        ("dyna", {"plan": {"length": 1}}, r"--plan\.length: expected at least 2 without actions, found 1"),
        ("mgail", {"learn": {"length": 1}}, r"--learn\.length: expected at least 2 without actions, found 1"),
    ],
)
def test_what_needs_actions_is_refused(algorithm, changes, message, cartpole_demos):
    config = small_config(algorithm, observations_only=True, **changes)
    with pytest.raises(UserError, match=message):
        ImitationRun(config, cartpole_demos, algorithm)


def test_the_recipe_does_not_start_from_a_clone_it_cannot_make():
    assert imitation_preset("recipe", "Hopper-v5").warm_start == "bc"
    alone = imitation_preset("recipe", "Hopper-v5", observations_only=True)
    assert (alone.warm_start, alone.observations_only, alone.follow_weight) == ("none", True, 10.0)
    assert (alone.plan.length, alone.plan.ended_length, alone.plan.recent_steps) == (20, 50, None)
    mgail = imitation_preset("recipe", "Hopper-v5", "mgail", observations_only=True)
    assert (mgail.env_steps, mgail.rollout, mgail.learn.steps) == (20_000, alone.rollout, 60)
    gail = imitation_preset("recipe", "Hopper-v5", "gail", observations_only=True)
    assert gail == replace(imitation_preset("recipe", "Hopper-v5", "gail"), observations_only=True), "TRPO's numbers"


def test_following_needs_states_alone(cartpole_demos):
    with pytest.raises(UserError, match="--follow-weight: has no effect without --observations-only"):
        ImitationRun(small_config(follow_weight=1.0), cartpole_demos, "dyna")


def test_some_trajectories_without_actions_are_refused(cartpole_demos):
    first, *others = cartpole_demos.trajectories
    with pytest.raises(ValueError, match="trajectory 0: actions: expected some, as others have, found none"):
        replace(cartpole_demos, trajectories=(replace(first, actions=None), *others))
