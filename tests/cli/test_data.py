"""`data check`, `data convert` and the command line's own complaints."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import mgail_dyna
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.main import COMMANDS, main
from mgail_dyna.demonstrations.reader import load_demonstrations

ROOT = Path(__file__).resolve().parents[2]


def run(*argv, **kwargs):
    command = [sys.executable, "run.py", *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    return subprocess.run(command, cwd=ROOT, text=True, check=False, **pipes)


@pytest.fixture
def complaint(capsys):
    """Runs the command line in this process; it has to fail with one line, which is returned."""

    def check(*argv):
        assert main([str(word) for word in argv]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return check


# In a process of its own


@pytest.mark.parametrize("value", ["foo", "osmesa"])
def test_a_renderer_that_mujoco_cannot_have_is_in_nobodys_way_but_mujocos(value):
    where = {"env": {**os.environ, "MUJOCO_GL": value}}
    probe = subprocess.run([sys.executable, "-c", "import mujoco"], capture_output=True, check=False, **where)
    if probe.returncode == 0:
        pytest.skip(f"this machine has {value}")
    done = run("evaluate", "cartpole", "--episodes", "1", **where)
    assert (done.returncode, done.stderr) == (0, "")
    done = run("evaluate", "hopper", "--episodes", "1", **where)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"error: environment 'Hopper-v5' needs MuJoCo, which cannot be imported with MUJOCO_GL={value} ("
    )
    assert done.stderr.endswith("); unset it or set it to egl\n") and done.stderr.count("\n") == 1


def test_a_truncated_file_is_one_line_and_exit_code_2(dataset, data_file, cli):
    data_file.write_bytes(data_file.read_bytes()[: data_file.stat().st_size // 2])
    done = cli("data", "check", dataset)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {data_file}: expected an HDF5 file, found one that is truncated or damaged\n"


def test_numbers_beyond_float32_are_one_line_too(dataset, data_file, put, cli):
    put(data_file, "episode_1/observations", np.full((7, 17), 1e300))
    done = cli("data", "check", dataset)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {data_file}: episode_1/observations: expected finite numbers")
    assert done.stderr.count("\n") == 1


def test_output_that_takes_ascii_alone_or_nothing(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "guépard")
    done = run("data", "check", tmp_path / "guépard", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "") and "gu?pard" in done.stdout.replace("\n", "")
    closed = subprocess.run(
        ["bash", "-c", '"$@" >&-', "-", sys.executable, "run.py", "data", "check", str(dataset)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_json_is_all_there_is_on_stdout(dataset, cheetah, cli):
    done = cli("data", "check", dataset, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["episodes"], facts["steps"], facts["env_id"]) == (3, 18, "HalfCheetah-v5")
    returns = [episode.rewards.sum() for episode in cheetah.trajectories]
    assert facts["return"]["mean"] == pytest.approx(np.mean(returns))
    assert facts["return"]["std"] == pytest.approx(np.std(returns))
    assert (facts["return"]["min"], facts["return"]["max"]) == pytest.approx((min(returns), max(returns)))
    assert (facts["policy"], facts["simulator_state"], facts["terminated"]) == (True, True, 0)
    again = facts["replay"]
    assert (again["steps"], again["elsewhere"]) == (18, 0)


def test_an_unknown_command_is_told_by_the_exit_code(cli):
    done = cli("data", "chek", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown command 'data chek'; did you mean data check")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_cannot_be_written_is_no_traceback(dataset):
    with Path("/dev/full").open("w") as full:
        done = run("data", "check", dataset, "--json", stdout=full)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


# Names


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["expart"], ["unknown command 'expart'", "expert"]),
        (["data", "convertt"], ["unknown command 'data convertt'", "data convert"]),
        (["xyzzy"], ["unknown command 'xyzzy'", *COMMANDS]),
        (["data", "check", "DATASET", "--jsn"], ["unknown option '--jsn'", "--json", "--help"]),
        (["data", "check", "DATASET", "--evn=hopper"], ["unknown option '--evn'", "--env"]),
        (
            ["data", "convert", "DATASET", "OUT", "--env", "hopper", "--clip-action"],
            ["--clip-action", "--clip-actions"],
        ),
        (["expert", "--stepps", "10"], ["unknown option '--stepps'", "--steps"]),
        (["data", "check", "DATASET", "--env", "halfcheeta"], ["unknown environment 'halfcheeta'", "HalfCheetah-v5"]),
        (["data", "check", "DATASET", "--env", "Hoper-v5"], ["unknown environment 'Hoper-v5'", "Hopper-v5"]),
        (["data", "check", "DATASET", "--env", "Hopper-v99"], ["environment 'Hopper-v99'", "Hopper-v5"]),
        (["data", "check", "DATASET", "--env", "Hopper-v3"], ["Hopper-v3"]),
        (["data", "check", "DATASET", "--env", "no_such_module:Hopper-v5"], ["no_such_module:Hopper-v5"]),
        (["data", "check", "DATASET", "--env", "not an id!"], ["'not an id!'"]),
        (["data", "check", "DATASET", "--env", "FrozenLake-v1"], ["expected 16 numbers to fit the environment"]),
        (["data", "convert", "DATASET", "OUT", "--env", "hoper"], ["unknown environment 'hoper'", "Hopper-v5"]),
        (["expert", "--env", "hoper"], ["unknown environment 'hoper'", "Hopper-v5"]),
        (["expert", "--steps", "many"], ["--steps", "many"]),
        (["expert", "--env-kwargs", "g=9"], ["--env-kwargs: expected a JSON object", "g=9"]),
        (["data", "check"], ["missing FILE; usage: python run.py data check FILE [options]"]),
        (["data", "convert", "DATASET", "OUT"], ["missing --env; usage: "]),
    ],
    ids=lambda value: " ".join(value) if value and value[0] in ("data", "expert", "expart", "xyzzy") else "",
)
def test_wrong_names_are_told_with_the_nearest_right_ones(argv, said, dataset, tmp_path, complaint):
    places = {"DATASET": dataset, "OUT": tmp_path / "out"}
    line = complaint(*(places.get(word, word) for word in argv))
    for part in said:
        assert part in line
    assert not (tmp_path / "out").exists()


OWN = """
import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv

class Sized(CartPoleEnv):
    def __init__(self, size):
        super().__init__()

class Picky(CartPoleEnv):
    def __init__(self):
        raise ValueError("no robot\\nis has_transitions")

gym.register("Sized-v0", entry_point=Sized)
gym.register("Picky-v0", entry_point=Picky)
gym.register("Nowhere-v0", entry_point="own_sized:Nowhere")
"""
MODULES = {
    "own_sized": OWN,
    "own_raises": 'raise RuntimeError("two\\nlines")',
    "own_typo": "import gymnasium as\n",
    "own_part": "from gymnasium import no_such_part\n",
    "own_exits": "import sys\nsys.exit(3)\n",
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Puts modules of environments where Python finds them."""
    (tmp_path / "own").mkdir()
    for name, text in MODULES.items():
        (tmp_path / "own" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "own")
    yield
    for name in MODULES:
        sys.modules.pop(name, None)
    for name in ("Sized-v0", "Picky-v0", "Nowhere-v0"):
        gym.registry.pop(name, None)


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("json:Foo-v0", ["unknown environment 'json:Foo-v0'; module json can be imported, but registers no Foo-v0"]),
        ("own_sized:Szied-v0", ["unknown environment 'own_sized:Szied-v0'; did you mean own_sized:Sized-v0"]),
        ("own_sized:Sized-v0", ["TypeError: ", "'size'", "give them in gymnasium.register(..., kwargs={...})"]),
        ("own_sized:Picky-v0", ["'own_sized:Picky-v0' cannot be made: ValueError: no robot is has_transitions\n"]),
        ("own_sized:Nowhere-v0", ["'own_sized:Nowhere-v0' cannot be made: AttributeError: ", "Nowhere"]),
        ("own_sized::Sized-v0", ["'own_sized::Sized-v0' cannot be made: "]),
        ("own_raises:A-v0", ["'own_raises:A-v0': module own_raises cannot be imported: RuntimeError: two lines; "]),
        ("own_raises:A-v0", ["python -c 'import own_raises' shows where"]),
        ("own_typo:A-v0", ["own_typo cannot be imported: SyntaxError: "]),
        ("own_part:A-v0", ["own_part cannot be imported: ImportError: ", "no_such_part"]),
        ("own_exits:A-v0", ["own_exits cannot be imported: SystemExit: 3"]),
        (":A-v0", ["':A-v0'", "cannot be imported: ValueError"]),
    ],
)
def test_what_an_environment_of_ones_own_raises_is_told_in_one_line(env_id, said, own, dataset, complaint):
    line = complaint("data", "check", dataset, "--env", env_id)
    for part in said:
        assert part in line


@pytest.mark.parametrize("argv", [[], ["data"], ["data", "--help"]])
def test_usage_names_every_command(argv, capsys):
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert all(name in out for name in COMMANDS)
    assert err == ""


def test_the_version_names_what_results_depend_on(capsys):
    assert main(["--version"]) == 0
    told = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["mgail_dyna"] == mgail_dyna.__version__ and {"python", "tensorflow", "mujoco"} <= told.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), "--help"])
    assert stop.value.code == 0
    assert f"usage: python run.py {name}" in capsys.readouterr().out


# data check


def test_check_shows_a_table(dataset, capsys):
    assert main(["data", "check", str(dataset)]) == 0
    out, err = capsys.readouterr()
    assert "HalfCheetah-v5" in out and "17 numbers" in out and "6 numbers" in out
    assert re.search(r"fits +│ HalfCheetah-v5", out)
    assert err == ""


def test_check_plays_steps_again(dataset, data_file, put, capsys):
    assert main(["data", "check", str(dataset)]) == 0
    assert "18 of 18 steps end as recorded" in capsys.readouterr().out
    put(data_file, "episode_1/actions", np.zeros((6, 6), np.float32))
    assert main(["data", "check", str(dataset)]) == 0
    out, err = capsys.readouterr()
    assert "12 of 18 steps end as recorded" in out
    assert err.startswith("note: 6 of 18 steps replayed in HalfCheetah-v5")
    put(data_file, "episode_1/infos/qpos", np.zeros((7, 3)))
    assert main(["data", "check", str(dataset)]) == 0
    out, err = capsys.readouterr()
    assert err == "note: simulator state: expected qpos [9] and qvel [9], found [3] and [9]\n"
    assert "played again" not in out


def test_check_against_another_environment(dataset, complaint):
    line = complaint("data", "check", dataset, "--env", "hopper")
    assert "expected 11 numbers" in line and "found 17" in line


def test_check_of_something_missing_names_what_ships(tmp_path, complaint):
    assert f"{tmp_path / 'none'}: no such file or directory" in complaint("data", "check", tmp_path / "none")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"id": "NoSuch-v0"}, "NoSuch-v0"),
        ({"id": "Hopper-v5"}, "expected 11 numbers"),
        ({"id": "HalfCheetah-v5", "max_episode_steps": -3}, "max_episode_steps"),
        ({"id": "HalfCheetah-v5", "max_episode_steps": "x"}, "max_episode_steps"),
    ],
)
def test_check_of_metadata_that_names_an_impossible_environment(spec, said, dataset, metadata_file, complaint):
    metadata = json.loads(metadata_file.read_text())
    metadata_file.write_text(json.dumps({**metadata, "env_spec": json.dumps(spec)}))
    line = complaint("data", "check", dataset)
    assert said in line
    assert str(dataset) in line


def test_brackets_in_names_are_shown_as_they_are(dataset, metadata_file, tmp_path, capsys):
    metadata = json.loads(metadata_file.read_text())
    metadata_file.write_text(json.dumps({**metadata, "provenance": {"algorithm": "SAC [/sb3]"}}))
    moved = dataset.rename(tmp_path / "old [b]")
    assert main(["data", "check", str(moved)]) == 0
    told = capsys.readouterr().out
    assert "SAC [/sb3]" in told and "[b]" in told
    assert main(["evaluate", str(moved), "--episodes", "1"]) == 0
    assert "[b]" in capsys.readouterr().out


@pytest.mark.parametrize("provenance", [{"versions": ["numpy"]}, {"seed": [1]}, {"algorithm": None}])
def test_check_takes_whatever_provenance_says(provenance, dataset, metadata_file, capsys):
    metadata = json.loads(metadata_file.read_text())
    metadata_file.write_text(json.dumps({**metadata, "provenance": provenance}))
    assert main(["data", "check", str(dataset)]) == 0
    assert "HalfCheetah-v5" in capsys.readouterr().out


def test_a_file_name_of_two_lines_is_told_in_one(tmp_path, complaint):
    assert "no such file" in complaint("data", "check", tmp_path / "two\nlines")


def test_a_name_too_long_for_a_file(complaint):
    assert "xxx" in complaint("data", "check", "x" * 5000)


# data convert


def test_convert_writes_a_dataset_and_its_notes(tmp_path, capsys):
    rng = np.random.default_rng(0)
    observations, actions = rng.standard_normal((2, 5, 17)), rng.uniform(-1.5, 1.5, (2, 4, 6))
    arrays = {"observations": observations, "actions": actions, "rewards": np.ones((2, 4)), "goal[x]": np.zeros(2)}
    np.savez(tmp_path / "in.npz", lengths=[4, 3], **arrays)
    source, out = str(tmp_path / "in.npz"), str(tmp_path / "out")
    assert main(["data", "convert", source, out, "--env", "halfcheetah", "--clip-actions"]) == 0
    out_text, printed = capsys.readouterr()
    assert "note: not read: goal[x]; " in printed
    assert "note: no terminations or truncations" in printed
    assert "actions clipped" in printed
    assert "note" not in out_text, "as of every command"
    loaded = load_demonstrations(out)
    assert [len(episode) for episode in loaded.trajectories] == [4, 3]
    assert np.abs(loaded.trajectories[0].actions).max() == 1.0


def test_an_output_that_is_missing_is_not_taken_for_one_to_overwrite(dataset, tmp_path, complaint):
    copy = shutil.copytree(dataset, tmp_path / "another")
    said = complaint("data", "convert", dataset, copy, "--env", "halfcheetah")
    assert f"{copy}: holds a dataset already; --overwrite replaces it (the last path is" in said


def test_remedies_name_the_environment_that_was_given(tmp_path, complaint):
    np.savez(tmp_path / "in.npz", observations=np.zeros((1, 3, 4)), actions=np.zeros((1, 2)), lengths=[2])
    assert complaint("--env", "cartpole", "--expert", tmp_path / "in.npz").endswith("OUT --env cartpole\n")
    assert complaint("--expert", tmp_path / "in.npz").endswith("OUT --env ENV\n")


def test_a_flag_that_is_given_twice_is_a_note(capsys):
    assert main(["data", "check", "cartpole", "--env", "hopper", "--env=cartpole"]) == 0
    said = "note: --env is given 2 times: the last one counts, cartpole, and hopper is ignored\n"
    assert capsys.readouterr().err == said
    resolved(["--env", "hopper", "--policy.hidden", "64", "64", "--policy.hidden", "32", "--observations-only"])
    assert "--policy.hidden is given 2 times: the last one counts, 32, and 64 64 is" in capsys.readouterr().err
    resolved(["--env_steps", "10000", "--env-steps", "1e4", "--observations-only", "--no-observations-only"])
    assert capsys.readouterr().err.count("note") == 1, "the same number twice is none"


def test_convert_names_the_commands_that_come_next(dataset, tmp_path, capsys):
    out = tmp_path / "my data"
    assert main(["data", "convert", str(dataset), str(out), "--env", "halfcheetah"]) == 0
    check, clone, run = (shlex.split(line)[2:] for line in capsys.readouterr().out.splitlines()[-3:])
    assert check == ["data", "check", str(out)]
    assert clone == [*run, "--mode", "bc"] == ["--env", "halfcheetah", "--expert", str(out), "--mode", "bc"]
    name = "gymnasium.envs.mujoco:HalfCheetah-v5"
    assert main(["data", "convert", str(dataset), str(out), "--env", name, "--overwrite"]) == 0
    check = capsys.readouterr().out.splitlines()[-3]
    assert shlex.split(check)[-3:] == [str(out), "--env", name], "a module is imported only where it is named"


def test_convert_does_not_overwrite_unasked(dataset, tmp_path, complaint, capsys):
    argv = ["data", "convert", str(dataset), str(tmp_path / "out"), "--env", "halfcheetah"]
    assert main(argv) == 0
    capsys.readouterr()
    before = (tmp_path / "out" / "data" / "main_data.hdf5").read_bytes()
    assert "--overwrite" in complaint(*argv)
    assert (tmp_path / "out" / "data" / "main_data.hdf5").read_bytes() == before
    assert main([*argv, "--overwrite"]) == 0


def test_convert_out_of_bounds_names_the_option_that_helps(tmp_path, complaint):
    shapes = {"observations": (1, 4, 17), "actions": (1, 3, 6), "rewards": (1, 3)}
    np.savez(tmp_path / "in.npz", lengths=[3], **{name: np.full(shape, 2.0) for name, shape in shapes.items()})
    line = complaint("data", "convert", tmp_path / "in.npz", tmp_path / "out", "--env", "halfcheetah")
    assert "--clip-actions" in line and "3 steps" in line
    assert [path.name for path in tmp_path.iterdir()] == ["in.npz"]
