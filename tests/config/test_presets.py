"""Presets, and what flags and algorithms change in them."""

from dataclasses import replace

import pytest

from mgail_dyna.algorithms.registry import ALGORITHMS, imitation_preset
from mgail_dyna.config.presets import PRESETS, environments, expert_preset
from mgail_dyna.errors import UserError


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_preset_file_is_read_for_every_algorithm(preset, algorithm):
    for name, env_id in environments().items():
        config = imitation_preset(preset, name, algorithm)
        assert config == imitation_preset(preset, env_id, algorithm)
        assert config == ALGORITHMS[algorithm].configure(config)
        assert config.env == expert_preset(env_id).env == env_id


def test_presets_of_the_library():
    assert imitation_preset("tuned", "halfcheetah") == imitation_preset("tuned", "HalfCheetah-v5")
    for preset in ("tuned", "reset", "paper-like"):
        config = imitation_preset(preset, "Hopper-v5", "mgail")
        assert (config.plan.steps, config.discriminator.imagined_fraction) == (0, 0.0), "MGAIL never plans"
    for words in (("tuned", "hopper", "mgale"), ("tunned", "hopper")):
        with pytest.raises(UserError, match="did you mean"):
            imitation_preset(*words)


def test_mode_presets_are_defaults_that_flags_replace():
    tuned = imitation_preset("tuned", "HalfCheetah-v5", "gail")
    assert (tuned.env_steps, tuned.cost, tuned.trust_region.max_kl) == (2_000_000, "saturating", 0.04)
    paper = imitation_preset("paper-like", "HalfCheetah-v5", "dyna-trpo")
    assert (paper.plan.length, paper.plan.steps, paper.discriminator.gradient_penalty) == (10, 1, 0.0)
    mgail = imitation_preset("tuned", "Hopper-v5", "mgail")
    assert mgail.rollout.demo_length == imitation_preset("tuned", "Hopper-v5").rollout.demo_length == 100
    assert mgail.updates_per_iteration == 12, "its own over Dyna-AIL's"
    paper = [imitation_preset("paper-like", "Hopper-v5", mode) for mode in ("mgail", "dyna")]
    assert paper[0] == ALGORITHMS["mgail"].configure(paper[1])
    for env_id, length in (("HalfCheetah-v5", 100), ("Hopper-v5", 1_000), ("Walker2d-v5", 1_000)):
        rollout = imitation_preset("reset", env_id).rollout
        assert (rollout.initial_states, rollout.reset_length) == ("reset", length)
    alone = imitation_preset("reset", "HalfCheetah-v5", observations_only=True)
    assert alone.rollout.reset_length == 100, "the task's own, with states alone too"
    for mode in ("mgail", "gail", "dyna-trpo"):
        tuned, reset = (imitation_preset(name, "HalfCheetah-v5", mode) for name in ("tuned", "reset"))
        assert reset == replace(tuned, rollout=replace(tuned.rollout, initial_states="reset")), (
            "no other number is of the mode"
        )
