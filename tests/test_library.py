"""The package as a library: it is quiet, and a preset follows the demonstrations as on the command line."""

import subprocess
import sys
from dataclasses import replace

import pytest
from helpers import ROOT

import mgail_dyna
from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import imitation_preset

FIRST_CALL = """
import gymnasium, mgail_dyna
demos = mgail_dyna.load_demonstrations("cartpole")
config = mgail_dyna.imitation_preset("tuned", "CartPole-v1", demos=demos)
agent = mgail_dyna.DynaAgent(config, lambda: gymnasium.make("CartPole-v1"), demos)
agent.act(demos.trajectories[0].observations)
"""


@pytest.mark.slow
def test_the_first_call_prints_nothing():
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_that_need_tensorflow_import_it_quietly(monkeypatch):
    calls = []
    monkeypatch.setattr(runtime, "import_tensorflow", lambda: calls.append(1))
    assert mgail_dyna.UserError and not calls
    assert mgail_dyna.BCAgent and calls == [1]


def test_a_program_that_configured_tensorflow_keeps_its_settings(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # importing it again would fail
    runtime.import_tensorflow()


def test_tuned_falls_back_to_reset_where_demonstrations_have_no_states(cheetah):
    bare = replace(cheetah, trajectories=tuple(replace(t, qpos=None, qvel=None) for t in cheetah.trajectories))
    env_id = "HalfCheetah-v5"
    assert imitation_preset("tuned", env_id, demos=cheetah) == imitation_preset("tuned", env_id)
    assert imitation_preset("tuned", env_id, demos=bare) == imitation_preset("reset", env_id)
    assert imitation_preset("tuned", env_id, "mgail", demos=bare) == imitation_preset("reset", env_id, "mgail")
    assert imitation_preset("tuned", env_id, "bc", demos=bare) == imitation_preset("tuned", env_id, "bc")
    assert imitation_preset("paper-like", env_id, demos=bare) == imitation_preset("paper-like", env_id)
