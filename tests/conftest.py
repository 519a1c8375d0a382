"""Small hand-made demonstrations and datasets, shared agents, and what a good complaint looks like."""

import dataclasses
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

# Before anything of the package is imported; child processes inherit it. The fixture `with_xla` switches XLA on
# again.
os.environ.setdefault("MGAIL_DYNA_XLA", "0")
# As in `runtime.import_tensorflow`, so that numbers are those of the command line, and a worker is content with a core.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import h5py
import numpy as np
import pytest
from helpers import compiled_functions, first, random_policy, small_config

from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.records import from_run, write_record
from mgail_dyna.experiments.suites import CLONING, FIGURES
from mgail_dyna.runs.directory import RunSettings, write_curve, write_settings


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """With `-n`, a worker without work takes over half of what another one still has to do."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


@pytest.fixture(scope="session")
def cartpole_demos():
    """The first 100 steps of three shipped demonstrations of CartPole; episodes end there."""
    return first(load_demonstrations("cartpole"), 3)


@pytest.fixture(scope="session")
def cheetah_demos():
    """The first 60 steps of two shipped demonstrations of HalfCheetah; episodes end there."""
    return first(load_demonstrations("halfcheetah"), 2, steps=60)


def _eagerly():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def eager():
    """Runs gradient steps without tracing them, which is faster where there are few; the numbers are the same."""
    yield from _eagerly()


@pytest.fixture
def with_xla(monkeypatch):
    """Compiles the learners' functions with XLA, as they are for users."""
    from mgail_dyna.learners.compiled import XLA_SWITCH, compiled

    monkeypatch.delenv(XLA_SWITCH, raising=False)
    for kind, name in compiled_functions():
        monkeypatch.setattr(kind, name, compiled(vars(kind)[name].python_function))


@pytest.fixture(scope="session")
def trained(cartpole_demos):
    """Runs of two iterations on CartPole, by algorithm. They are shared: look at them, train a copy."""
    from mgail_dyna.runs.run import ImitationRun

    runs = {}

    def run(algorithm="dyna"):
        if algorithm not in runs:
            runs[algorithm] = ImitationRun(small_config(algorithm), cartpole_demos, algorithm)
            for _ in _eagerly():
                list(runs[algorithm].iterate(iterations=2))
        return runs[algorithm]

    return run


@pytest.fixture
def cli(capsys):
    """The command line in this process: its exit code, stdout and stderr."""

    def call(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return call


@pytest.fixture(scope="session")
def cheetah():
    """Three truncated episodes of six steps, with simulator states and a policy."""
    provenance = {"algorithm": "random", "config": {"hidden": [8]}}
    return record("HalfCheetah-v5", 6, random_policy("HalfCheetah-v5"), 3, provenance)


@pytest.fixture(scope="session")
def cartpole():
    """Two terminated episodes with discrete actions, without simulator states."""
    return record("CartPole-v1", 500, random_policy("CartPole-v1", seed=1), 2)


@pytest.fixture(scope="session")
def saved_cheetah(cheetah, tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "cheetah" / "random-v0"
    save_demonstrations(path, cheetah)
    return path


@pytest.fixture
def dataset(saved_cheetah, tmp_path):
    """The directory of a dataset that the test may spoil."""
    return shutil.copytree(saved_cheetah, tmp_path / "cheetah" / "random-v0")


@pytest.fixture
def data_file(dataset):
    return dataset / "data" / "main_data.hdf5"


@pytest.fixture
def metadata_file(dataset):
    return dataset / "data" / "metadata.json"


@pytest.fixture
def put():
    """Writes `value` into an HDF5 file in the place of what is at `key`; None removes it, {} is a group."""

    def write(path, key, value):
        with h5py.File(path, "r+") as file:
            if key in file:
                del file[key]
            if isinstance(value, dict):
                file.create_group(key)
            elif value is not None:
                file[key] = value

    return write


@pytest.fixture
def refused(tmp_path):
    """Calls a function that has to raise a UserError of one line with every one of `said` in it.

    Paths are looked for in the whole message, words only outside the test's own directory, which has its name in it.
    """

    def check(said, function, *args, **kwargs):
        with pytest.raises(UserError) as caught:
            function(*args, **kwargs)
        message = str(caught.value)
        assert "\n" not in message
        for part in said:
            assert str(part) in (message if isinstance(part, Path) else message.replace(str(tmp_path), ""))
        return message

    return check


@pytest.fixture
def complaint_of():
    """What a function's UserError says, None if it raises nothing; any other exception comes through."""

    def call(function, *args):
        try:
            function(*args)
        except UserError as error:
            return str(error)
        return None

    return call


@pytest.fixture
def same():
    """Asserts that two sequences of trajectories are equal bit for bit."""

    def check(found, expected):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            for name in ("observations", "actions", "rewards", "qpos", "qvel"):
                a, b = getattr(one, name), getattr(other, name)
                assert (a is None) == (b is None), name
                if a is not None:
                    assert a.dtype == b.dtype, name
                    np.testing.assert_array_equal(a, b, err_msg=name)
            assert (one.terminated, one.truncated) == (other.terminated, other.truncated)
            assert one.seed == other.seed

    return check


@pytest.fixture
def finished_run(tmp_path):
    """Makes the directory of a finished run on CartPole: 12 evaluations of a curve that rises to `best` percent."""

    def make(seed, best=100.0, steps_per_trajectory=50, mode="dyna"):
        directory = tmp_path / "finished" / f"{mode}-{best:g}-{steps_per_trajectory}-seed{seed}"
        directory.mkdir(parents=True, exist_ok=True)
        config = imitation_preset("tuned", "CartPole-v1")
        settings = RunSettings(mode, "recipe", "cartpole", None, dataclasses.replace(config, seed=seed))
        write_settings(directory, settings, 1000.0, 1_000)
        env_steps = 250.0 * np.arange(1, 13) + 7 * seed
        percent = best * np.minimum(1.0, env_steps / (1500.0 + 200.0 * seed))
        rows = {
            "env_steps": env_steps,
            "real_trajectories": np.ceil(env_steps / steps_per_trajectory),
            "expert_percent": percent,
            "return_mean": 10.0 * percent,
            "return_std": np.full(12, 3.5),
            "cpu_seconds": env_steps / 50.0,
            "wall_seconds": env_steps / 40.0,
        }
        write_curve(directory, [{name: float(column[i]) for name, column in rows.items()} for i in range(12)])
        return directory

    return make


@pytest.fixture
def results(tmp_path, finished_run):
    """Records of CartPole's figure, without its control."""
    best = {"dyna": 100.0, "mgail": 60.0, CLONING: 90.0}
    for kind in FIGURES["4a"]:
        for seed in range(3 if kind.name in best else 0):
            run = kind.run(seed)
            write_record(tmp_path / "results", run, from_run(finished_run(seed, best[kind.name]), run))
    return tmp_path / "results"
