"""A run's directory: its configuration file, its checkpoint, its lock."""

import json
from pathlib import Path

import pytest
from helpers import small_config

from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.cli.main import dispatch
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.records import read_record
from mgail_dyna.runs.directory import (
    RunSettings,
    directory_of,
    load_run,
    lock_run,
    new_directory,
    read_about,
    read_settings,
    runtime,
    write_settings,
)
from mgail_dyna.runs.lookup import CONFIG


def test_settings_survive_being_written(tmp_path):
    settings = RunSettings("mgail", "paper-like", "hopper", 7, imitation_preset("paper-like", "Hopper-v5"))
    write_settings(tmp_path, settings, 3_500.0, 1_000)
    assert read_settings(tmp_path) == settings
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["versions"]["tensorflow"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda record: record["config"].update(discout=1),
            "unknown key 'config.discout'; did you mean config.discount",
        ),
        (lambda record: record["config"]["plan"].update(steps=-1), "--plan.steps: expected at least 0, found -1"),
        (lambda record: record.pop("algorithm"), "algorithm: missing"),
        (lambda record: record.pop("config"), "config: missing"),
        (lambda record: record["config"].update(plan=5), "config.plan: expected an object, found 5"),
        (lambda record: record["config"].update(cost="logits"), "unknown config.cost 'logits'; did you mean logit?"),
        (lambda record: record.update(algorithm=["dyna"]), "algorithm: expected str, found ['dyna']"),
        (lambda record: record.update(expert=5), "expert: expected str, found 5"),
        (lambda record: record.update(iterations=True), "iterations: expected int | None, found True"),
        (lambda record: record["config"].update(env=5), "config.env: expected str, found 5"),
        (lambda record: record["config"].update(seed=1.5), "config.seed: expected int, found 1.5"),
        (lambda record: record["config"]["plan"].update(steps="3"), "config.plan.steps: expected int, found '3'"),
        (
            lambda record: record["config"]["learn"].update(recent_steps=3.5),
            "config.learn.recent_steps: expected int | None",
        ),
        (lambda record: record["config"]["policy"].update(hidden=[100.5]), "hidden: expected tuple[int, ...], found"),
        (lambda record: record["config"]["policy"].update(train_noise="no"), "train_noise: expected bool, found 'no'"),
        (lambda record: record["config"].update(discount="1"), "config.discount: expected float, found '1'"),
        (
            lambda record: (record.pop("iterations"), record.update(suite="warm", arguments=["--env", "hopper"])),
            "iterations: missing; it is a record; repeat its run with: python run.py --env hopper",
        ),
    ],
)
def test_a_bad_config_file_is_one_line(tmp_path, change, line):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "hopper", None, ImitationConfig()), 3_500.0, 1_000)
    file = tmp_path / "config.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    with pytest.raises(UserError) as error:
        read_settings(file)
    assert line in str(error.value)
    assert str(file) in str(error.value)


def test_a_config_file_of_too_many_brackets_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    for read in (read_about, lambda path: read_record(path / "config.json")):
        with pytest.raises(UserError, match="expected JSON, found something else"):
            read(tmp_path)


def test_a_config_file_names_the_commits_a_run_was_made_by(tmp_path, monkeypatch):
    settings = RunSettings("dyna", "tuned", "hopper", None, ImitationConfig())
    for commit, named in (("a", "a"), ("a", "a"), ("b+", "a, b+"), (None, "a, b+"), ("a", "a, b+, a")):
        monkeypatch.setattr(runtime, "git_commit", lambda commit=commit: commit)
        write_settings(tmp_path, settings, 3_500.0, 1_000)
        assert json.loads((tmp_path / "config.json").read_text())["commit"] == named


def test_a_config_file_names_the_ends_a_run_had_before(tmp_path):
    for env_steps, extended in ((100, None), (100, None), (300, [100]), (500, [100, 300])):
        settings = RunSettings("dyna", "tuned", "hopper", None, ImitationConfig(env_steps=env_steps))
        write_settings(tmp_path, settings, 3_500.0, 1_000)
        assert read_about(tmp_path).get("extended_from") == extended
        assert read_settings(tmp_path) == settings


def test_a_run_without_a_checkpoint_says_how_to_begin_again(tmp_path):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    again = f"ended before its first checkpoint; start it again with: python run.py --config {tmp_path / 'config.json'}"
    assert directory_of(tmp_path / "config.json") == directory_of(tmp_path) == tmp_path
    for words in (["--resume", str(tmp_path / "config.json")], ["evaluate", str(tmp_path)]):
        with pytest.raises(UserError) as error:
            dispatch(words)
        assert again in str(error.value)


def test_a_run_that_has_just_been_started_is_not_said_to_have_ended(tmp_path, refused):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1.0, 1)
    with lock_run(tmp_path):  # as another process has it
        refused([tmp_path, "no checkpoint yet; the first one comes with its first row"], load_run, tmp_path)
        refused([tmp_path, "ended before its first checkpoint"], load_run, tmp_path, True)
    refused([tmp_path, "ended before its first checkpoint"], load_run, tmp_path)


def test_every_run_has_a_directory_to_itself(tmp_path, refused):
    taken = [new_directory(tmp_path / "runs", "x") for _ in range(3)]
    assert [path.name for path in taken] == ["x", "x-2", "x-3"]
    with lock_run(taken[0]):
        refused([taken[0], "another process uses this run"], lock_run(taken[0]).__enter__)
    with lock_run(taken[0]):
        pass
    (tmp_path / "file").touch()
    refused(["file", "expected a directory, found a file"], new_directory, tmp_path / "file", "x")


def test_a_path_in_advice_is_quoted(tmp_path):
    (tmp_path / "a b").mkdir()
    write_settings(tmp_path / "a b", RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1.0, 1)
    with pytest.raises(UserError, match=r"start it again with: python run.py --config '.*a b/config.json'"):
        load_run(tmp_path / "a b")


def test_a_directory_of_runs_and_a_file_are_not_taken_for_a_run(tmp_path):
    for name in "abcd":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    with pytest.raises(
        UserError,
        match=f"{tmp_path}: expected one run, .* of runs: {tmp_path}/a, {tmp_path}/b, {tmp_path}/c and 1 more",
    ):
        read_about(tmp_path)
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\xa0\x00")
    with pytest.raises(UserError, match=r"film\.mp4: expected the directory of a run, found another file"):
        read_about(film)


def test_a_run_named_without_its_directory_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / CONFIG).write_text("{}")
    with pytest.raises(UserError, match=r"did you mean runs/x\?$"):
        read_about(Path("x"))
    with pytest.raises(UserError, match=f"holds a {CONFIG}$"):
        read_about(Path("y"))


def test_runs_of_a_name_like_the_one_given_are_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/hopper-dyna-seed0", "runs/hopper-dyna-seed1", "logs/walker-dyna-seed0"):
        Path(name).mkdir(parents=True)
        (Path(name) / CONFIG).write_text("{}")
    for given, expected in [
        ("runs/hopper", r"did you mean runs/hopper-dyna-seed0 or runs/hopper-dyna-seed1\?$"),
        ("hoper-dyna-seed1", r"did you mean runs/hopper-dyna-seed1\?$"),
        ("logs/walker-dina-seed0", r"did you mean logs/walker-dyna-seed0\?$"),
        ("logs/ant", f"holds a {CONFIG}$"),
    ]:
        with pytest.raises(UserError, match=expected):
            read_about(Path(given))


def test_demonstrations_are_not_taken_for_a_run(tmp_path, cartpole_demos):
    save_demonstrations(tmp_path / "my data", cartpole_demos)
    with pytest.raises(
        UserError, match=r"data: expected a run, found demonstrations; to imitate them: --expert '.*my data'$"
    ):
        read_about(tmp_path / "my data")
