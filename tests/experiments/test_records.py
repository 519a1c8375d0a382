"""Records: small, whole, and refused in one line when they are not what they should be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.kinds import Kind, Run
from mgail_dyna.experiments.records import (
    COLUMNS,
    differences,
    from_run,
    read_kind,
    read_record,
    record_path,
    write_record,
)
from mgail_dyna.runs.directory import read_progress
from mgail_dyna.runs.final import FinalEpisodes, write_final

KIND = Kind("tiny", "cartpole", "dyna", "Dyna-AIL", ("--env", "cartpole"))


@pytest.fixture
def recorded(tmp_path, finished_run):
    """A directory with the records of five seeds."""
    for seed in range(5):
        run = KIND.run(seed)
        write_record(tmp_path, run, from_run(finished_run(seed), run))
    return tmp_path


def test_a_record_comes_back_as_it_was_written(recorded, finished_run):
    run = KIND.run(0)
    before = from_run(finished_run(0), run)
    after = read_record(record_path(recorded, run))
    for name, values in before.curve.items():
        np.testing.assert_array_equal(after.curve[name], values, err_msg=name)
    np.testing.assert_array_equal(after.final_returns, before.final_returns)
    without = {"curve": {}, "final_returns": None}
    assert replace(after, **without) == replace(before, **without)
    assert after.algorithm == "dyna" and after.preset == "recipe" and after.expert == "cartpole"
    assert after.expert_return == 1000
    assert after.config["env"] == "CartPole-v1" and after.versions["numpy"] and after.commit
    assert after.final["env_steps"] == 3000 and after.final["expert_percent"] == 100
    assert after.final["percent_of_last_10"] == pytest.approx(after.curve["expert_percent"][-10:].mean())
    text = record_path(recorded, run).read_text()
    assert len(text) < 10_000 and text.count("\n") < 40


def test_a_record_differs_only_in_what_its_algorithm_uses(finished_run):
    record = from_run(finished_run(0), KIND.run(0))
    other = json.loads(json.dumps(record.config))
    other["seed"], other["trust_region"]["max_kl"], other["plan"]["length"] = 7, 0.5, 3
    assert [key for key, *_ in differences(record, other)] == ["plan.length"]
    assert not list(differences(replace(record, algorithm="bc"), other))


def test_a_parameter_that_is_younger_than_a_record_had_its_default(finished_run):
    record = from_run(finished_run(0), KIND.run(0))
    older = json.loads(json.dumps(record.config))
    length = older["learn"].pop("length")
    record = replace(record, config=older)
    for found, told in ((5, []), (6, [("learn.length", 5, 6)])):
        newer = {**older, "learn": {**older["learn"], "length": found}}
        assert list(differences(record, newer)) == told
        assert [key for key, *_ in differences(replace(record, config=newer), older)] == [key for key, *_ in told]
    assert length == 10, "the preset's is another"


def test_iterations_without_an_evaluation_are_left_out(tmp_path, finished_run):
    source = finished_run(0)
    (tmp_path / "config.json").write_text((source / "config.json").read_text())
    rows = (source / "progress.csv").read_text().splitlines()
    head = rows[0].split(",")
    cells = rows[1].split(",")
    for name in ("return_mean", "return_std", "expert_percent"):
        cells[head.index(name)] = "nan"
    (tmp_path / "progress.csv").write_text("\n".join([rows[0], ",".join(cells), *rows[2:]]) + "\n")
    record = from_run(tmp_path, KIND.run(0))
    assert len(record.curve["env_steps"]) == len(rows) - 2
    assert np.isnan(read_progress(tmp_path, COLUMNS)["expert_percent"][0])


@pytest.mark.parametrize("spoilt", [b"\xff\xfe", b"env_steps\n"])
def test_a_curve_that_is_no_text_is_refused(finished_run, refused, spoilt):
    directory = finished_run(0)
    (directory / "progress.csv").write_bytes(spoilt)
    refused(["progress.csv", "expected"], read_progress, directory, COLUMNS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.pop("algorithm"), "algorithm: missing"),
        (lambda r: r.update(seed="0"), "seed: expected a whole number, found '0'"),
        (
            lambda r: r.update(name="other"),
            "name: expected 'cartpole-dyna-seed0', as the file is called, found 'other'",
        ),
        (lambda r: r["curve"].pop("wall_seconds"), "curve.wall_seconds: missing"),
        (lambda r: r["curve"].update(env_steps=[]), "curve.env_steps: expected a list of one or more numbers"),
        (lambda r: r["curve"].update(return_std=[1, "x"]), "curve.return_std: expected a list of one or more numbers"),
        (lambda r: r["curve"].update(return_std=[1]), "curve.return_std: expected 12 numbers as in env_steps, found 1"),
        (lambda r: r["curve"]["env_steps"].reverse(), "curve.env_steps: expected numbers that never fall"),
    ],
)
def test_a_spoilt_record_is_refused(recorded, refused, change, said):
    path = record_path(recorded, KIND.run(0))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    refused([path, said], read_record, path)


def test_what_is_no_record_is_refused(tmp_path, refused):
    path = tmp_path / "cartpole-dyna-seed0.json"
    refused([path, "no such file"], read_record, path)
    path.write_text('{"half')
    refused([path, "expected JSON"], read_record, path)
    path.write_text("[]")
    refused([path, "expected a JSON object, found list"], read_record, path)
    refused(["config.json", "no such file"], from_run, tmp_path, Run("tiny", "one", ()))


def test_records_of_one_kind_agree_in_all_but_the_seed(recorded, refused):
    assert [record.seed for record in read_kind(recorded, KIND)] == [0, 1, 2, 3, 4]
    path = record_path(recorded, KIND.run(3))
    content = json.loads(path.read_text())
    steps = content["config"]["plan"]["steps"]
    content["config"]["plan"]["steps"] = 7
    path.write_text(json.dumps(content))
    refused([f"plan.steps is {steps} in cartpole-dyna-seed0 and 7 in cartpole-dyna-seed3"], read_kind, recorded, KIND)


def test_kinds_with_longer_names_are_kinds_of_their_own(recorded, finished_run):
    run = replace(KIND, name="dyna_tp5").run(0)
    write_record(recorded, run, from_run(finished_run(0), run))
    assert len(read_kind(recorded, KIND)) == 5


def test_a_record_keeps_the_final_episodes_and_older_records_have_none(tmp_path, finished_run):
    run, directory = KIND.run(0), finished_run(0)
    assert from_run(directory, run).final_returns.size == 0
    write_final(directory, FinalEpisodes(np.arange(3), np.full(3, 10), np.array([1000.0, 250.0, 499.0])))
    path = write_record(tmp_path, run, from_run(directory, run))
    record = read_record(path)
    np.testing.assert_allclose(record.final_percents, [100, 25, 49.9])
    older = json.loads(path.read_text())
    del older["final_returns"]
    path.write_text(json.dumps(older))
    assert read_record(path).final_returns.size == 0
    path.write_text(json.dumps({**older, "final_returns": ["a lot"]}))
    with pytest.raises(UserError, match="final_returns: expected a list of numbers"):
        read_record(path)
