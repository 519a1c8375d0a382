"""What XLA compiled in one run of a sweep serves the next one, on the same kind of CPU."""

import os
import subprocess
import sys

import pytest

from mgail_dyna.experiments import compiled_cache as cache

# Two gradient steps of the dynamics model; prints a fingerprint of its weights.
STEPS = """
import hashlib, sys
sys.path.insert(0, "benchmarks")
from workload import Workload
work = Workload(2, batch=4, size=3, actions=2)
work.updates()["model"]()
for array in work.learners["dynamics"].model.get_weights():
    sys.stdout.write(hashlib.sha256(array.tobytes()).hexdigest())
"""


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "CPU_INFO", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


def directory_of(found):
    return found["TF_XLA_FLAGS"].split("=")[1]


def test_another_cpu_or_version_has_another_directory(tmp_path, cpu, monkeypatch):
    cpu.write_text("processor\t: 0\nmodel name\t: One\nflags\t\t: avx\ncpu MHz\t: 1\n")
    first = cache.compiled_cache(tmp_path)
    cpu.write_text("processor\t: 0\nmodel name\t: One\nflags\t\t: avx\ncpu MHz\t: 2\n")
    assert cache.compiled_cache(tmp_path) == first, "its speed at the moment does not matter"
    cpu.write_text("processor\t: 0\nmodel name\t: One\nflags\t\t: avx avx2\n")
    second = cache.compiled_cache(tmp_path)
    monkeypatch.setattr(cache.runtime, "versions", lambda: {"tensorflow": "0.1"})
    third = cache.compiled_cache(tmp_path)
    assert len({directory_of(found) for found in (first, second, third)}) == 3


def test_nothing_is_kept_where_it_could_not_be_trusted(tmp_path, cpu):
    assert cache.compiled_cache(tmp_path) == {}, "an unknown CPU"
    cpu.write_text("model name : One\n")
    assert cache.compiled_cache(tmp_path / "my runs") == {}, "TensorFlow would read two flags"
    (tmp_path / "file").touch()
    assert cache.compiled_cache(tmp_path / "file") == {}, "no directory can be made there"


def test_flags_of_the_user_are_kept(tmp_path, cpu, monkeypatch):
    cpu.write_text("model name : One\n")
    monkeypatch.setitem(os.environ, "TF_XLA_FLAGS", "--tf_xla_auto_jit=0")
    assert cache.compiled_cache(tmp_path)["TF_XLA_FLAGS"].startswith("--tf_xla_auto_jit=0 --tf_xla_persistent")


@pytest.mark.slow
def test_the_same_numbers_with_and_without_and_after_a_failure_on_a_damaged_file(tmp_path):
    def run(more):
        environment = {**os.environ, "MGAIL_DYNA_XLA": "1", "OMP_NUM_THREADS": "1", **more}
        done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, env=environment)
        return done.stdout if done.returncode == 0 else f"failed: {done.stderr}"

    cached = cache.compiled_cache(tmp_path)
    without = run({})
    assert without and "failed" not in without
    assert run(cached) == without
    (kept,) = (tmp_path / cache.NAME).rglob("*.pb")
    before = kept.stat().st_mtime_ns
    assert run(cached) == without and kept.stat().st_mtime_ns == before, "nothing was compiled again"
    kept.write_bytes(kept.read_bytes()[:1000])
    assert run(cached).startswith("failed"), "or nothing need be removed after a failure"
    cache.forget_compiled(tmp_path)
    assert run(cache.compiled_cache(tmp_path)) == without and len(list(kept.parent.glob("*.pb"))) == 1
