"""The package as a library: it is quiet, and a preset follows the demonstrations as on the command line."""

import subprocess
import sys

import pytest
from helpers import ROOT

import mgail_dyna
from mgail_dyna import runtime

FIRST_CALL = """
import gymnasium, mgail_dyna
demos = mgail_dyna.load_demonstrations("cartpole")
config = mgail_dyna.imitation_preset("recipe", "CartPole-v1")
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
