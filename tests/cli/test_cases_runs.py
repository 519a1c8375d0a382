"""Runs from what people bring: other arguments, limits, cut or moved demonstrations, broken environments, links."""

import json
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from helpers import small_flags

from mgail_dyna.cli import training
from mgail_dyna.cli.evaluation import table
from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.dataset import Demonstrations, fingerprint, subset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.recorded_environment import differing
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.errors import UserError
from mgail_dyna.types import Trajectory

PENDULUM = "Pendulum-v1"
pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def pendulum():
    """Two episodes of 20 steps under a limit of 20."""
    env, rng = make_env(PENDULUM), np.random.default_rng(0)
    episodes = tuple(
        Trajectory(
            observations=rng.uniform(-1, 1, (21, 3)),
            actions=rng.uniform(-1, 1, (20, 1)),
            rewards=-np.ones(20),
            terminated=False,
            truncated=True,
        )
        for _ in range(2)
    )
    return Demonstrations(episodes, env.observation_space, env.action_space, env_id=PENDULUM, length=20)


@pytest.fixture
def run(tmp_path, capsys):
    """Clones for one iteration; the exit code and what standard error says."""

    def call(demos, *words, env=PENDULUM):
        flags = ["--env", env, "--mode", "bc", *small_flags("bc"), "--iterations", "1"]
        flags = [] if "--resume" in words else flags
        code = main(
            [*flags, "--expert", str(demos), *([] if "--resume" in words else ["--logdir", str(tmp_path)]), *words]
        )
        return code, capsys.readouterr().err

    return call


def about(tmp_path):
    return json.loads((tmp_path / "pendulum-bc-seed0" / "config.json").read_text())


def test_a_run_uses_the_recorded_arguments_and_its_evaluation_too(pendulum, tmp_path, run, monkeypatch, capsys):
    save_demonstrations(tmp_path / "moon", replace(pendulum, env_kwargs={"g": 1.6}))
    code, said = run(tmp_path / "moon")
    assert code == 0 and "note: the environment is made with g=1.6, as it was recorded (--env-kwargs)" in said
    assert about(tmp_path)["env_kwargs"] == {"g": 1.6}
    made = []
    before = gym.make
    monkeypatch.setattr(gym, "make", lambda env_id, **kwargs: made.append(kwargs.get("g")) or before(env_id, **kwargs))
    assert main(["evaluate", str(tmp_path / "pendulum-bc-seed0"), "--episodes", "1"]) == 0
    assert set(made) == {1.6}
    assert "percent of expert" in capsys.readouterr().out
    made.clear()
    asked = ["--env-kwargs", '{"g": 5.0}', "--env", PENDULUM]
    assert main(["evaluate", str(tmp_path / "pendulum-bc-seed0"), "--episodes", "1", *asked]) == 0
    assert set(made) == {5.0}
    said = capsys.readouterr()
    assert 'no comparison with the expert, whose environment was made with {"g": 1.6}' in said.err
    assert "percent of expert" not in said.out


def test_a_run_with_other_arguments_says_so(pendulum, tmp_path, run):
    save_demonstrations(tmp_path / "moon", replace(pendulum, env_kwargs={"g": 1.6}))
    code, said = run(tmp_path / "moon", "--env-kwargs", '{"g": 9.0}')
    assert code == 0 and "recorded with g=1.6, and the environment is made with g=9.0" in said
    assert about(tmp_path)["env_kwargs"] == {"g": 9.0}
    code, said = run(tmp_path / "moon", "--env-kwargs", "g=9")
    assert code == 2 and said.startswith("error: --env-kwargs: expected a JSON object")


def test_cut_demonstrations_give_no_percentage_and_say_why_once(pendulum, tmp_path, run):
    save_demonstrations(tmp_path / "cut", replace(pendulum, length=200))
    code, said = run(tmp_path / "cut")
    assert code == 0 and said.count("the demonstrations are cut at 20 steps") == 1
    assert about(tmp_path)["expert_return"] is None
    assert "% of" not in said
    assert main(["evaluate", str(tmp_path / "pendulum-bc-seed0"), "--episodes", "1"]) == 0


def test_demonstrations_longer_than_their_limit_are_compared_whole(pendulum, tmp_path, run):
    save_demonstrations(tmp_path / "long", replace(pendulum, length=10))
    code, said = run(tmp_path / "long")
    assert code == 0 and "the recorded time limit is 10 steps, and the longest demonstration has 20" in said
    assert (about(tmp_path)["episode_limit"], about(tmp_path)["expert_return"]) == (20, -20)


def test_demonstrations_behind_a_link_are_taken(pendulum, tmp_path, run):
    save_demonstrations(tmp_path / "hub", pendulum)
    links = tmp_path / "links"
    links.mkdir()
    for name in ("main_data.hdf5", "metadata.json"):
        blob = (tmp_path / "hub" / "data" / name).rename(tmp_path / f"blob-of-{name[:4]}")
        (links / name).symlink_to(blob)
    code, _ = run(links / "main_data.hdf5")
    assert code == 0
    assert about(tmp_path)["expert"] == str(links / "main_data.hdf5"), "by the name that was given"


def test_a_moved_run_is_resumed_with_the_same_demonstrations_alone(pendulum, tmp_path, run):
    save_demonstrations(tmp_path / "demos", pendulum)
    assert run(tmp_path / "demos")[0] == 0
    moved = shutil.move(tmp_path / "demos", tmp_path / "elsewhere")
    directory = str(tmp_path / "pendulum-bc-seed0")
    code, said = run(tmp_path / "demos", "--resume", directory, "--iterations", "2")
    assert code == 2 and "if they have moved, say where they are: --resume RUN --expert PATH" in said
    code, said = run(moved, "--resume", directory, "--iterations", "2")
    assert code == 0 and about(tmp_path)["expert"] == str(moved)
    nowhere = tmp_path / "nowhere"
    code, said = run(nowhere, "--resume", directory, "--iterations", "3")
    assert code == 2 and said.endswith(f"expected the demonstrations that the run learned from, in {moved}\n")
    # Rewards are not learned from.
    paid = tuple(replace(each, rewards=np.ones(20)) for each in pendulum.trajectories)
    save_demonstrations(tmp_path / "paid", replace(pendulum, trajectories=paid))
    assert run(tmp_path / "paid", "--resume", directory, "--iterations", "3")[0] == 0
    other = (replace(pendulum.trajectories[0], actions=-pendulum.trajectories[0].actions), pendulum.trajectories[1])
    save_demonstrations(tmp_path / "other", replace(pendulum, trajectories=other))
    code, said = run(tmp_path / "other", "--resume", directory, "--iterations", "4")
    assert code == 2 and said.splitlines()[-1].startswith("error: the demonstrations")
    save_demonstrations(tmp_path / "moon", replace(pendulum, env_kwargs={"g": 1.6}))
    code, said = run(tmp_path / "moon", "--resume", directory, "--iterations", "4")
    assert code == 2 and "the run has the default g, and these demonstrations were recorded with g=1.6" in said


def test_only_what_differs_between_keyword_arguments_is_said(tmp_path, monkeypatch):
    many = {**{f"other_{n}": n for n in range(9)}, "body": {"mass": 1.0, "length": 2}}
    monkeypatch.setattr(training, "read_about", lambda _: {"env_kwargs": {**many, "g": 1.6}})
    resumed = SimpleNamespace(environment_arguments={**many, "g": 1.7, "body": {"mass": 1.5, "length": 2}})
    with pytest.raises(UserError) as refused:
        training._refuse_other_arguments(tmp_path, resumed)
    wanted = "the run has body: mass=1.0, g=1.6, and these demonstrations were recorded with body: mass=1.5, g=1.7"
    assert str(refused.value).endswith(wanted)


def test_long_arguments_that_begin_alike_are_told_apart():
    long = [0.0] * 40
    one, other = differing({"a": long, "b": 1}, {"a": [*long[:-1], 1.0], "b": 1})
    assert one != other and one.endswith(" 0.0]") and other.endswith(" 1.0]") and max(map(len, (one, other))) < 70
    assert differing({"a": (1, 2)}, {"a": [1, 2]}) == ("", "")
    assert differing({"a": None}, {}) == ("a=null", "the default a")


def test_a_fingerprint_is_of_what_is_learned_from(pendulum, tmp_path):
    save_demonstrations(tmp_path / "demos", pendulum)
    assert fingerprint(load_demonstrations(tmp_path / "demos")) == fingerprint(pendulum)
    assert fingerprint(subset(pendulum, 1, 1)) != fingerprint(pendulum)
    assert fingerprint(subset(pendulum, None, 2)) != fingerprint(pendulum)
    turned = replace(pendulum, trajectories=pendulum.trajectories[::-1])
    assert fingerprint(turned) != fingerprint(pendulum)


def test_an_ended_run_remembers_where_its_demonstrations_have_moved(pendulum, tmp_path, run, capsys):
    save_demonstrations(tmp_path / "demos", pendulum)
    assert run(tmp_path / "demos")[0] == 0
    before, directory = about(tmp_path), tmp_path / "pendulum-bc-seed0"
    moved = shutil.move(tmp_path / "demos", tmp_path / "elsewhere")
    assert main(["evaluate", str(directory), "--video", str(tmp_path / "a.gif"), "--beside-expert"]) == 2
    said = capsys.readouterr().err
    assert f"--resume {directory} --expert PATH\n" in said and said.startswith("error: --beside-expert: ")
    code, said = run(moved, "--resume", str(directory))
    assert code == 0 and "nothing was done" in said
    assert f"its demonstrations are taken from {moved} from now on" in said
    assert about(tmp_path) == {**before, "expert": str(moved)}
    assert main(["evaluate", str(directory), "--video", str(tmp_path / "a.gif"), "--beside-expert"]) == 2
    assert "hold no policy" in capsys.readouterr().err, "they are found"
    code, said = run(moved, "--resume", str(directory))
    assert code == 0 and "from now on" not in said


BROKEN = """
import gymnasium as gym
import numpy as np

class Broken(gym.Env):
    observation_space = gym.spaces.Box(-np.inf, np.inf, (3,))
    action_space = gym.spaces.Box(-2, 2, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(3, np.float32), {}

    def step(self, action):
        return np.ones(3, np.float32), np.array([1.0]), False, False, {}

gym.register("Broken-v0", entry_point=Broken, max_episode_steps=20)
"""


def test_a_broken_environment_is_told_before_anything_is_trained(pendulum, tmp_path, run, monkeypatch, capsys):
    (tmp_path / "own_broken_case.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    env_id = "own_broken_case:Broken-v0"
    try:
        save_demonstrations(tmp_path / "demos", replace(pendulum, env_id=None, trajectories=pendulum.trajectories))
        code, said = run(tmp_path / "demos", env=env_id)
        expected = (
            f"error: environment '{env_id}': step: reward: expected one finite number, found an array of shape [1]"
        )
        assert code == 2 and said.splitlines()[-1].startswith(expected)
        assert not list(tmp_path.glob("*-bc-seed0")), "no directory is left behind"
        assert main(["expert", "--env", env_id, "--out", str(tmp_path / "expert")]) == 2
        assert expected in capsys.readouterr().err
    finally:
        gym.registry.pop("Broken-v0", None)
        sys.modules.pop("own_broken_case", None)


def test_evaluating_an_expert_whose_environment_is_not_named_says_what_it_is_taken_for(tmp_path, capsys):
    save_demonstrations(tmp_path / "unnamed", replace(load_demonstrations("cartpole"), env_id=None))
    assert main(["evaluate", str(tmp_path / "unnamed"), "--env", "cartpole", "--episodes", "1"]) == 0
    assert "do not name the environment they were recorded in; it is taken to be CartPole-v1" in capsys.readouterr().err


def test_data_check_names_what_differs(pendulum, tmp_path, capsys):
    save_demonstrations(tmp_path / "moon", replace(pendulum, env_kwargs={"g": 1.6}, length=15))
    assert main(["data", "check", str(tmp_path / "moon")]) == 0
    out, err = capsys.readouterr()
    assert "g=1.6" in out and "episodes of at most 20 steps" in out
    assert err.count("note:") == 1 and "the recorded time limit is 15 steps" in err
    assert main(["data", "check", str(tmp_path / "moon"), "--env", PENDULUM, "--env-kwargs", "{}"]) == 0
    assert "recorded with g=1.6, and the environment is made with the default g" in capsys.readouterr().err


def test_data_convert_says_once_that_there_are_no_rewards(tmp_path, capsys):
    arrays = {"observations": np.zeros((2, 5, 3)), "actions": np.zeros((2, 4, 1)), "lengths": [4, 4]}
    np.savez(tmp_path / "mine.npz", **arrays)
    assert main(["data", "convert", str(tmp_path / "mine.npz"), str(tmp_path / "out"), "--env", "Pendulum-v1"]) == 0
    assert capsys.readouterr().err.count("returns cannot be compared") == 1


def test_data_convert_takes_several_files_and_leaves_out_bad_episodes(pendulum, tmp_path, capsys):
    save_demonstrations(tmp_path / "a", pendulum)
    actions = np.zeros((2, 4, 1))
    actions[1] = 7.0
    arrays = {"observations": np.zeros((2, 5, 3)), "actions": actions, "rewards": -np.ones((2, 4))}
    np.savez(tmp_path / "b.npz", **arrays, lengths=np.array([4, 4]))
    words = ["data", "convert", str(tmp_path / "a"), str(tmp_path / "b.npz"), str(tmp_path / "out"), "--env", PENDULUM]
    assert main(words) == 2
    assert "found 4 steps outside" in capsys.readouterr().err
    assert main([*words, "--skip-bad-episodes"]) == 0
    out, err = capsys.readouterr()
    assert "1 of 2 episodes left out: episode 1 (actions" in err and "note" not in out
    assert len(load_demonstrations(tmp_path / "out").trajectories) == 3
    assert main(["data", "convert", str(tmp_path / "a"), "--env", PENDULUM]) == 2
    assert "expected IN and OUT" in capsys.readouterr().err


def test_a_policy_without_env_steps_is_said_to_be_a_clone():
    def rows(**result):
        shown = {"return_mean": 1.0, "returns": [1.0], "expert_percent": None, "seeds": (0, 0), "run": "x", **result}
        return dict(zip(*(column.cells for column in table(shown).columns), strict=True))

    assert rows(env_steps=0)["trained for"] == "0 env steps: a clone"
    assert rows(env_steps=600)["trained for"] == "600 env steps"
    assert "trained for" not in rows(env_steps=None), "an expert of which it is not known"


def test_a_percentage_of_several_episodes_has_a_standard_error():
    result = {"return_mean": 90.0, "return_std": 10.0, "expert_percent": 90.0, "expert_return": 100.0, "run": "x"}

    def rows(*returns, error=0.0):
        seeds = (0, len(returns) - 1)
        own = {"returns": list(returns), "seeds": seeds, "episodes_below_half": 2, "expert_error": error}
        shown = table({**result, **own})
        return dict(zip(*(column.cells for column in shown.columns), strict=True))

    several = rows(80.0, 100.0, 80.0, 100.0, 90.0)
    assert several["percent of expert"] == "90.0 ± 5.0 (standard error; smaller with --episodes 100)"
    assert several["below 50%"] == "2 episodes"
    assert rows(90.0)["percent of expert"] == "90.0", "one episode has none"
    known = rows(80.0, 100.0, 80.0, 100.0, 90.0, error=2.0)["percent of expert"]
    assert known == "90.0 ± 5.4 (standard error of agent and expert together; smaller with --episodes 100)"
    vague = rows(80.0, 100.0, 80.0, 100.0, 90.0, error=12.0)["percent of expert"]
    assert vague == "90.0 ± 13.0 (standard error of agent and expert together)", "more episodes would not help"
    assert rows(*[80.0, 100.0] * 50)["percent of expert"] == "90.0 ± 1.0 (standard error)"
