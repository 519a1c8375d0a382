"""Every example runs, with less to do; what the pages say of them holds."""

import csv
import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

from mgail_dyna.algorithms.registry import ALGORITHMS, imitation_preset
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.main import main
from mgail_dyna.config import presets
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.runs.policies import load_policy
from mgail_dyna.runs.run import ImitationRun

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LINES = 40


@pytest.fixture
def example(monkeypatch):
    """Imports an example, and forgets afterwards what it registered."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(presets, "_FILES", dict(presets._FILES))
    algorithms, before = dict(ALGORITHMS), set(sys.modules)
    yield importlib.import_module
    for name in {path.stem for path in EXAMPLES.glob("*.py")} & (set(sys.modules) - before):
        del sys.modules[name]
    ALGORITHMS.clear()
    ALGORITHMS.update(algorithms)
    gym.registry.pop("Mass-v0", None)
    presets.preset_file.cache_clear()
    presets.environments.cache_clear()


def tiny(algorithm):
    """CartPole's configuration with one minibatch of everything."""
    config = imitation_preset("tuned", "CartPole-v1", algorithm)
    return replace(
        config,
        env_steps=40,
        updates_per_iteration=1,
        evaluation_episodes=1,
        policy=replace(config.policy, hidden=(8,)),
        discriminator=replace(config.discriminator, hidden=(8,), steps=1, batch=16),
        dynamics=replace(config.dynamics, units=8, steps=1, batch=4, length=2, burn_in=1),
        learn=replace(config.learn, steps=1, batch=4, length=2),
        plan=replace(config.plan, steps=1, batch=4, length=2),
        rollout=replace(config.rollout, steps=20),
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("own_*.py")), ids=lambda path: path.stem)
def test_an_extension_has_at_most_forty_lines(path):
    assert sum(bool(line.strip()) for line in path.read_text().splitlines()) <= LINES


def test_the_gradient_by_hand_is_that_of_unroll_and_the_number_in_the_page(example):
    module = example("gradient_by_hand")
    assert module.by_unroll() == pytest.approx(module.by_hand(), rel=1e-6)
    assert f"{module.by_hand():.6f}" in (ROOT / "docs" / "how-it-works.md").read_text()


def test_a_policy_acts_without_tensorflow(tmp_path):
    command = [sys.executable, str(EXAMPLES / "act_with_numpy_alone.py")]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "return 500.0; TensorFlow imported: False\n"


def test_a_preset_of_ones_own_is_read_from_its_file(example):
    command = resolved(["--env", "own_preset:Mass-v0", "--expert", "cartpole"])  # imports the module first
    assert command.settings.env_steps == 3_000
    config = imitation_preset("recipe", "own_preset:Mass-v0")
    assert (config.env_steps, config.plan.length, config.rollout.reset_length) == (3_000, 20, 100)
    assert imitation_preset("recipe", "mass").env == "own_preset:Mass-v0"


@pytest.mark.parametrize(
    ("content", "line"),
    [(None, "expected a preset file in TOML"), ("id = ", "expected a preset file in TOML"), ("a = 1", "id: expected")],
)
def test_what_is_no_preset_is_refused(content, line, tmp_path, refused):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_text(content)
    refused([path, line], presets.register_preset, path)


@pytest.mark.parametrize(
    ("module", "algorithm", "part"),
    [
        ("own_discriminator", "dyna-states", ("discriminator", "StateDiscriminator")),
        ("own_dynamics", "dyna-linear", ("dynamics", "LinearDynamics")),
    ],
)
def test_networks_of_ones_own_are_trained(module, algorithm, part, example):
    module, demos = example(module), load_demonstrations("cartpole")
    run = ImitationRun(tiny(algorithm), demos, algorithm)
    learner = getattr(run.agent, part[0])
    network = getattr(learner, "network", None) or learner.model
    assert isinstance(network, getattr(module, part[1]))
    before = [variable.numpy().copy() for variable in network.trainable_variables]
    rows = list(run.iterate())
    run.close()
    assert rows[-1]["env_steps"] == 40
    assert any((old != new.numpy()).any() for old, new in zip(before, network.trainable_variables, strict=True))


def test_the_switch_plans_only_while_the_model_is_good(example, monkeypatch):
    module = example("own_algorithm")
    run = ImitationRun(tiny("dyna-switch"), load_demonstrations("cartpole"), "dyna-switch")
    planned = []
    for largest in (0.0, float("inf")):
        monkeypatch.setattr(module, "LARGEST_ERROR", largest)
        row = next(run.iterate())
        planned.append((row["dynamics/trusted"], row["plan/gradient_norm"] > 0))
    run.close()
    assert planned == [(0.0, False), (1.0, True)]


@pytest.mark.slow
def test_a_loop_of_ones_own_keeps_the_best_policy(example, tmp_path):
    file = tmp_path / "best.h5"
    module = example("train_with_your_own_loop")
    best = module.main(str(file), env_steps=100, episodes=1, updates_per_iteration=2)
    assert module.evaluate(load_policy(file), 1) == best > 50


@pytest.mark.slow
def test_your_own_environment_is_imitated_in_python_and_on_the_command_line(example, tmp_path, capsys):
    demos = tmp_path / "demos"
    percent = example("imitate_your_own_environment").main(str(demos))
    rows = [line for line in capsys.readouterr().out.splitlines() if "env steps:" in line]
    assert "return" in rows[0] and float(rows[0].rpartition(", ")[2].strip(" %")) < 60 and percent > 85, (
        "one sees it learn"
    )

    flags = ["--expert", str(demos), "--logdir", str(tmp_path / "runs"), "--iterations", "2"]
    small = ["--cloning.steps", "500", "--updates-per-iteration", "1", "--evaluation-episodes", "1"]
    assert main(["--env", "own_preset:Mass-v0", *flags, *small]) == 0, capsys.readouterr().err
    (progress,) = (tmp_path / "runs").glob("*/progress.csv")
    clone, row = csv.DictReader(progress.read_text().splitlines())
    assert (float(clone["env_steps"]), float(row["env_steps"])) == (0, 400), (
        "a trial, as there are five demonstrations, then 100"
    )
