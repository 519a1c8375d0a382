"""A run whose returns cannot be compared with an expert's has no record, and one line says why."""

import json
import math

from helpers import small_config

from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import from_run, read_record, record_path, write_record
from mgail_dyna.runs.directory import RunSettings, write_curve, write_settings
from mgail_dyna.runs.lookup import CONFIG

KIND = Kind("tiny", "cartpole", "dyna", "Dyna-AIL", ("--env", "cartpole"))


def test_a_run_without_a_comparable_expert_is_not_recorded(tmp_path, refused):
    settings = RunSettings("dyna", "tuned", "cartpole", None, small_config())
    write_settings(tmp_path, settings, math.nan, 500)
    counters = {"env_steps": 1, "real_trajectories": 1, "cpu_seconds": 1.0, "wall_seconds": 1.0}
    write_curve(tmp_path, [counters | {"return_mean": 3.0, "return_std": 1.0, "expert_percent": math.nan}])
    assert json.loads((tmp_path / CONFIG).read_text())["expert_return"] is None
    refused([tmp_path / CONFIG, "expert_return", "found null", "can be compared"], from_run, tmp_path, KIND.run(0))


def test_a_record_without_a_comparable_expert_is_refused(tmp_path, finished_run, refused):
    run = KIND.run(0)
    path = write_record(tmp_path, run, from_run(finished_run(0), run))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "expert_return": None}))
    refused([record_path(tmp_path, run), "expert_return", "found null"], read_record, path)
