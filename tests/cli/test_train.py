"""Training from the command line: options, mistakes, stored configurations."""

import csv
import json
from dataclasses import replace

import pytest
from helpers import ROOT, small_config, small_flags

from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.main import main
from mgail_dyna.cli.training import _notes, _unfinished
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import RunSettings, read_settings, save_run, write_settings
from mgail_dyna.runs.run import ImitationRun


def test_what_is_asked_for_is_resolved():
    mgail = resolved(["--env", "hopper", "--mode", "mgail", "--preset", "paper-like"]).settings
    assert mgail.plan.steps == 0, "as it runs, so it is written down"
    twice = resolved(["--env", "hopper", "--env", "halfcheetah"]).settings
    assert twice == imitation_preset("recipe", "HalfCheetah-v5"), "the last one counts, for what depends on it as well"


def test_demonstrations_without_simulator_states_are_enough(cheetah, tmp_path, capsys):
    trajectories = tuple(replace(t, qpos=None, qvel=None) for t in cheetah.trajectories)
    save_demonstrations(tmp_path / "mine", replace(cheetah, trajectories=trajectories))
    asked = ["--env", "halfcheetah", "--expert", str(tmp_path / "mine")]
    command = resolved(asked)
    assert command.settings == imitation_preset("recipe", "HalfCheetah-v5")
    assert command.settings.rollout.initial_states == "reset"
    assert main([*asked, "--preset", "tuned", "--logdir", str(tmp_path)]) == 2
    assert (
        "expected demonstrations with qpos and qvel, found none; use --rollout.initial-states reset"
        in capsys.readouterr().err
    )
    assert main([*asked, "--logdir", str(tmp_path), "--iterations", "0"]) == 2
    assert "note" not in capsys.readouterr().err, "a mistake is one line"


def test_a_shipped_name_is_not_taken_over_by_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cartpole").mkdir()
    assert len(load_demonstrations("cartpole").trajectories) == 50
    assert resolved(["--env", "cartpole", "--expert", "cartpole"]).expert == "cartpole"
    with pytest.raises(UserError, match=r"expected main_data\.hdf5 in it"):
        load_demonstrations("./cartpole")
    with pytest.raises(UserError, match=r"found neither; did you mean .*cartpole.trpo-v0\?"):
        load_demonstrations(ROOT / "expert_data" / "cartpole")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--mode", "gial"], "unknown mode 'gial'; did you mean gail or mgail?"),
        (["--mode", "gail", "--trust-region.max-kl", "0"], "--trust-region.max-kl: expected a number above 0"),
        (["--mode", "bc", "--cloning-interval", "0"], "--cloning.interval: expected at least 1, found 0"),
        (["--mode", "gail", "--rollout.num-envs", "0"], "--rollout.num-envs: expected at least 1, found 0"),
        (
            ["--mode", "gail", "--rollout.steps", "100"],
            "--trust-region.value-batch: expected at most the 100 states of a rollout (--rollout.steps), found 128",
        ),
        (["--mode", "gail", "--warm-start", "bc"], "--warm-start: has no effect with --mode gail; leave it out"),
        (["--mode", "mgail", "--plan.steps", "5"], "--plan.steps: has no effect with --mode mgail; leave it out"),
        (["--mode", "gail", "--policy-learning-rate", "0.1"], "--policy.learning-rate: has no effect with --mode gail"),
        (
            ["--mode", "mgail", "--discriminator.imagined-fraction=0.3"],
            "--discriminator.imagined-fraction: has no effect",
        ),
        (["--mode", "dyna", "--rollout.num-envs", "2"], "--rollout.num-envs: has no effect with --mode dyna"),
        (["--mode", "dyna", "--trust-region.damping", "1"], "--trust-region.damping: has no effect with --mode dyna"),
        (["--warm-start", "none", "--cloning.bc-weight", "9"], "bc-weight: has no effect without --warm-start bc"),
        (["--mode", "bc", "--env-steps", "100"], "--env-steps: has no effect with --mode bc; leave it out"),
        (["--policy.clip-norm", "inf"], "--policy.clip-norm: expected above 0 and finite, found inf"),
        (["cartpole"], "unexpected argument 'cartpole'; all options: python run.py --help"),
        (["--mode", "dyna-trpo", "--plan.batch", "5"], "at most the 50 states of a rollout (--plan.batch times"),
    ],
)
def test_mistakes_in_the_options_of_an_algorithm_are_one_line_and_exit_2(words, line, cli, tmp_path):
    result = cli("--env", "cartpole", "--logdir", tmp_path, *words)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("error: ")
    assert line in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--env", "hopperr"], "unknown environment 'hopperr'; did you mean hopper"),
        (["--mode", "dina"], "unknown mode 'dina'; did you mean dyna?"),
        (["--preset", "papr"], "unknown preset 'papr'; did you mean paper-like?"),
        (["--plan.stesp", "3"], "unknown option '--plan.stesp'; did you mean --plan.steps"),
        (["--plan.steps", "many"], "--plan.steps"),
        (["--rollout-initial-states", "foo"], "--rollout.initial-states: expected reset or demos or mix, found foo"),
        (["--env", "HumanoidStandup-v5"], "--expert: no demonstrations of HumanoidStandup-v5 ship"),
        (["--env", "Reacher-v5"], "train an expert first: python run.py expert --env Reacher-v5"),
        (
            ["--env", "cartpole", "--rollout-initial-states", "mix"],
            "expected demonstrations with qpos and qvel, found none",
        ),
        (["--iterations", "0"], "--iterations: expected at least 1, found 0"),
        (["--env", "HumanoidStandup-v5"], "then --expert runs/expert/humanoidstandup-seed0"),
        (["--env", "Reacher-v5", "--env-kwargs", '{"frame_skip": 4}'], "--env-kwargs '{\"frame_skip\": 4}', then"),
        (["--discount", "2"], "--discount: expected above 0 and at most 1, found 2.0"),
        (["--expert", "nowhere"], "nowhere: no such file or directory"),
        (["--env", "hopper", "--expert", "halfcheetah"], "expected 11 numbers to fit the environment, found 17"),
        (["--resume", "nowhere"], "nowhere"),
        (["--config", "nowhere.json"], "nowhere.json: no such file"),
        (["evaluate", "nowhere"], "nowhere: no such file or directory"),
        (["evaluate", "halfcheeta"], "halfcheeta: no such file or directory; did you mean halfcheetah?"),
        (["evaluate", "cartpole", "--episodes", "0"], "--episodes: expected at least 1, found 0"),
        (["evaluate", "cartpole", "--seed", "-1"], "--seed: expected at least 0, found -1"),
        (["evaluate", "cartpole", "--video-steps", "0"], "--video-steps: expected at least 1, found 0"),
        (["evaluate", "cartpole", "--video", "film.avi"], "--video: expected a file ending in .mp4 or .gif"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(words, line, cli):
    result = cli(*words)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("error: ")
    assert line in result.stderr


def test_a_stored_configuration_of_an_unknown_mode_is_refused(tmp_path, capsys):
    write_settings(tmp_path, RunSettings("dina", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    assert main(["--config", str(tmp_path / "config.json")]) == 2
    assert capsys.readouterr().err == "error: unknown mode 'dina'; did you mean dyna?\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--preset", "paper-like"], "--config: --preset cannot change: the file has tuned, you asked for paper"),
        (["--mode", "mgail"], "--config: --mode cannot change: the file has dyna, you asked for mgail"),
        (["--env", "hopper"], "--config: --env cannot change: the file has CartPole-v1, you asked for Hopper-v5"),
    ],
)
def test_a_stored_configuration_is_not_called_another(words, line, tmp_path, capsys):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    assert main(["--config", str(tmp_path / "config.json"), *words]) == 2
    assert line in capsys.readouterr().err


def test_what_an_older_configuration_lacks_is_named(tmp_path):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    file = tmp_path / "config.json"
    record = json.loads(file.read_text())
    del (
        record["config"]["policy"]["bptt_clip_norm"],
        record["config"]["cloning"],
        record["config"]["updates_per_iteration"],
    )
    file.write_text(json.dumps(record))
    argv = ["--config", str(file)]
    (note,) = _notes(resolved(argv))
    assert note.startswith("its config.json is older than updates_per_iteration, policy.bptt_clip_norm: ")


@pytest.mark.usefixtures("eager")
def test_a_stored_configuration_runs_again_and_is_plotted(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(ROOT)
    config = small_config("mgail", seed=3)
    settings = RunSettings("mgail", "tuned", str(ROOT / "expert_data" / "cartpole" / "trpo-v0"), 1, config)
    written = replace(settings, expert="expert_data/cartpole/trpo-v0")
    write_settings(tmp_path / "before", written, 1_000.0, 1_000)
    result = cli("--config", tmp_path / "before" / "config.json", "--logdir", tmp_path)
    assert result.returncode == 0, result.stderr
    directory = tmp_path / "cartpole-mgail-seed3"
    assert read_settings(directory) == settings
    (row,) = csv.DictReader((directory / "progress.csv").open())
    assert "config.json is older" not in result.stderr
    assert "plan/cost" not in row
    plotted = cli("plot", directory, "--out", tmp_path / "curve.png", "--title", "for $x_{ $")
    assert plotted.returncode == 0, plotted.stderr
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("algorithm", "unit"), [("bc", ": 20,000 gradient steps"), ("gail", ": 1,000 env steps")])
def test_an_algorithm_at_the_command_line(algorithm, unit, tmp_path, cli):
    flags = small_flags(algorithm, env_steps=1_000)
    result = cli("--env", "cartpole", "--mode", algorithm, *flags, "--iterations", 1, "--logdir", tmp_path)
    assert result.returncode == 0, result.stderr
    assert unit in result.stderr
    directory = tmp_path / f"cartpole-{algorithm}-seed0"
    resumed = cli("--resume", directory, "--iterations", 2)
    assert resumed.returncode == 0, resumed.stderr
    rows = list(csv.DictReader((directory / "progress.csv").open()))
    assert [row["iteration"] for row in rows] == ["1", "2"]
    shown = cli("evaluate", directory, "--episodes", 1, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["env_steps"] == int(rows[-1]["env_steps"])


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("task", "said"),
    [("pusher", "the clone, that of --mode bc;"), ("swimmer", "the clone, and row 2 will be the same")],
)
def test_a_run_says_what_follows_its_clone(task, said, tmp_path, cli):
    flags = ["--env", task, "--demonstrations", 6, *small_flags("dyna"), "--iterations", 1]
    result = cli(*flags, "--logdir", tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"row 1 is {said}" in " ".join(result.stderr.split())


@pytest.mark.usefixtures("eager")
def test_a_run_resumed_for_some_iterations_continues_to_its_own_end_afterwards(tmp_path, cli):
    config = small_config("bc")
    directory = tmp_path / "cartpole-bc-seed0"
    write_settings(directory, RunSettings("bc", "tuned", "cartpole", None, config), 1_000.0, 1_000)
    own = ImitationRun(config, load_demonstrations("cartpole"), "bc")
    list(own.iterate(iterations=1))
    save_run(directory, own.state())
    resumed = cli("--resume", directory, "--iterations", 2)
    assert resumed.returncode == 0, resumed.stderr
    assert "20,000 gradient steps, of which 20 are done, at most 2 iterations" in resumed.stderr
    assert read_settings(directory).iterations is None, "the limit was this session's"
    before = {path: path.stat().st_mtime_ns for path in directory.iterdir()}
    again = cli("--resume", directory, "--iterations", 2)
    after = {path: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert {path for path in after if after[path] != before.get(path)} <= {directory / "lock"}, "nothing is written"
    continued = f"python run.py --resume {directory}"
    assert f"iteration 2 is over, so nothing was done; to continue it: {continued}\n" in again.stderr
    assert f"\n  {continued}\n" in again.stdout, "and what comes next says so, too"
    assert resolved(["--resume", str(directory)]).iterations is None


@pytest.mark.usefixtures("eager")
def test_a_run_cannot_be_made_shorter_than_it_is_and_a_new_one_of_its_name_says_so(tmp_path, cli):
    flags = small_flags("dyna", env_steps=300)[2:]  # without a clone
    words = ["--env", "cartpole", "--preset", "tuned", *flags]
    assert cli(*words, "--iterations", 1, "--logdir", tmp_path).returncode == 0
    directory = tmp_path / "cartpole-dyna-seed0"
    done = int(list(csv.DictReader((directory / "progress.csv").open()))[-1]["env_steps"])
    shorter = cli("--resume", directory, "--env-steps", 10)
    assert shorter.returncode == 2
    assert f"error: --env-steps: the run has taken {done}; expected more, found 10\n" in shorter.stderr
    again = cli(*words, "--iterations", 1, "--logdir", tmp_path)
    assert f"this is a new run; {directory} has taken {done} env steps" in again.stderr
    assert (tmp_path / "cartpole-dyna-seed0-2").exists()
    new = read_settings(directory)
    for text in ("env_steps\n0\n", "damaged"):  # a clone, and nothing that can be read
        (directory / "progress.csv").write_text(text)
        assert _unfinished(directory, new) is None
    for done, longer in ((200, ""), (300, " --env-steps 600")):
        (directory / "progress.csv").write_text(f"env_steps\n{done}\n")
        shorter = replace(new, config=replace(new.config, env_steps=77, evaluate_every=3))
        assert _unfinished(directory, shorter).endswith(f"--resume {directory}{longer}"), (
            "of its own budget, not the new run's"
        )
    assert _unfinished(directory, replace(new, expert="another")) is None
    assert _unfinished(directory, replace(new, config=replace(new.config, demonstrations=1))) is None
