"""An environment of one's own, from a module of one's own: found, refused in one line, and always brought to an end."""

import json
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import random_policy, small_flags

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.algorithms.trpo_expert import ExpertTrainer
from mgail_dyna.cli.main import main
from mgail_dyna.cli.report import EvaluationRows
from mgail_dyna.cli.subject import find_subject
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.config.presets import environment_name
from mgail_dyna.demonstrations.compatibility import episode_limit
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import UserError, make_env
from mgail_dyna.environments.rollout import RolloutCollector, play_episode
from mgail_dyna.environments.spaces import action_spec
from mgail_dyna.environments.video import film_episode, mp4
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.normalization import constant, statistics
from mgail_dyna.runs.directory import load_run
from mgail_dyna.runs.policies import load_policy, save_policy
from mgail_dyna.runs.run import ImitationRun
from mgail_dyna.types import Trajectory

MODULE = """
import gymnasium as gym
import numpy as np

class Point(gym.Env):
    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gym.spaces.Box(-1, 1, (1,))

    def __init__(self, pull=None):
        self.pull = pull

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = np.ones(2, np.float32)
        return self.state, {}

    def step(self, action):
        self.state = self.state + 0.1 * np.float32([self.state[1], action[0]])
        return self.state, -abs(float(self.state[0])), False, False, {}

class InPlace(Point):
    # Gives out its own buffer, and writes into the action it is given.

    def step(self, action):
        self.state += 0.1 * np.float32([self.state[1] + 1, action[0]])
        action[:] = 7
        return self.state, 0.0, False, False, {}

class Brief(Point):
    # Some of its episodes are over before they began.

    def step(self, action):
        state, reward, *_ = super().step(action)
        return state, reward, bool(self.np_random.random() < 0.3), False, {}

class Breaks(Point):
    # As simulators do.
    steps = 0

    def step(self, action):
        Breaks.steps += 1
        if Breaks.steps == 150:
            raise RuntimeError("the robot is on fire")
        return super().step(action)

gym.register("Breaks-v0", entry_point=Breaks, max_episode_steps=9)
gym.register("Brief-v0", entry_point=Brief, max_episode_steps=9)
gym.register("InPlace-v0", entry_point=InPlace, max_episode_steps=9)
gym.register("Never-v0", entry_point=Point)
gym.register("Point-v0", entry_point=Point, max_episode_steps=9, kwargs={"pull": print})
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Puts a module of environments where Python finds it; its name."""
    (tmp_path / "own_points.py").write_text(MODULE)
    (tmp_path / "own_broken.py").write_text("import no_such_physics\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_points"
    sys.modules.pop("own_points", None)
    for name in ("Breaks-v0", "Brief-v0", "InPlace-v0", "Never-v0", "Point-v0"):
        gym.registry.pop(name, None)


def demonstrations(steps=20, **about):
    rng = np.random.default_rng(0)
    made = [
        Trajectory(
            observations=rng.standard_normal((steps + n + 1, 2)).astype(np.float32),
            actions=rng.uniform(-1, 1, (steps + n, 1)).astype(np.float32),
            rewards=rng.standard_normal(steps + n).astype(np.float32),
            terminated=False,
            truncated=True,
        )
        for n in range(2)
    ]
    low = np.full(2, -np.inf, np.float32)
    return Demonstrations(tuple(made), gym.spaces.Box(low, -low), gym.spaces.Box(-1, 1, (1,)), **about)


def test_a_class_that_is_registered_is_told_by_its_name(own, tmp_path):
    save_demonstrations(tmp_path / "ds", demonstrations(env_id=f"{own}:Point-v0", length=9))
    shown = json.loads(json.loads((tmp_path / "ds" / "data" / "metadata.json").read_text())["env_spec"])
    assert shown["entry_point"] == f"{own}:Point"
    loaded = load_demonstrations(tmp_path / "ds")
    assert (loaded.env_id, loaded.length) == (f"{own}:Point-v0", 9)
    save_demonstrations(tmp_path / "unlimited", demonstrations(env_id=f"{own}:Point-v0"))
    assert load_demonstrations(tmp_path / "unlimited").length == 9, "the environment's own"


@pytest.mark.parametrize("recorded", ["own_points:Point-v0", "Point-v0"])
def test_an_id_without_its_module_is_found_in_the_demonstrations(recorded, own, tmp_path, capsys, monkeypatch):
    save_demonstrations(tmp_path / "ds", demonstrations(env_id=f"{own}:Point-v0", length=9))
    metadata = tmp_path / "ds" / "data" / "metadata.json"
    about = json.loads(metadata.read_text())
    about["env_spec"] = json.dumps({**json.loads(about["env_spec"]), "id": recorded})  # Gymnasium keeps no module
    metadata.write_text(json.dumps(about))
    gym.registry.pop("Point-v0")
    ds, out = str(tmp_path / "ds"), str(tmp_path / "out")
    for asked in ("Point-v0", "Piont-v0"):
        train = ["--env", asked, "--expert", ds, "--logdir", out]
        for words in (train, ["data", "check", ds, "--env", asked], ["data", "convert", ds, out, "--env", asked]):
            assert main(words) == 2
            err = capsys.readouterr().err
            assert err.startswith(f"error: unknown environment '{asked}'; {tmp_path / 'ds'}")
            assert err.endswith("records own_points:Point-v0: --env own_points:Point-v0\n")
    monkeypatch.delitem(sys.modules, "own_points", raising=False)
    monkeypatch.setattr(sys, "path", [])
    assert main(["--env", "own_points:Point-v0", "--expert", ds]) == 2
    assert "No module named 'own_points'; start from the directory" in capsys.readouterr().err, "not what was typed"
    monkeypatch.undo()
    assert main(["--env", "Pendulum-v9", "--expert", ds]) == 2
    assert "did you mean Pendulum-v1" in capsys.readouterr().err


def test_what_never_ends_is_ended_after_the_longest_demonstration(own):
    never, point = f"{own}:Never-v0", f"{own}:Point-v0"
    assert episode_limit(demonstrations(), never) == 21
    assert episode_limit(demonstrations(steps=5), point) == 9, "it has a limit itself"
    assert episode_limit(demonstrations(), point) == 21, "which demonstrations exceed"
    assert episode_limit(demonstrations(length=50), never) == 50
    assert episode_limit(demonstrations(length=5), never) == 21
    run = ImitationRun(imitation_preset("reset", never), demonstrations(), "dyna")
    assert run._evaluated(True)["return_mean"] < 0
    assert run.ledger.steps["evaluation"] == 21 * run.config.evaluation_episodes


def test_an_environment_may_go_on_writing_into_what_it_gives_and_takes(own):
    env_id = f"{own}:InPlace-v0"
    trajectory = play_episode(make_env(env_id), random_policy(env_id), 0)
    assert len(np.unique(trajectory.observations, axis=0)) == 10
    assert np.abs(trajectory.actions).max() <= 1
    collector, again = (RolloutCollector([make_env(env_id)], random_policy(env_id), 0) for _ in range(2))
    collector.collect(5)
    again.restore(collector.state())
    np.testing.assert_array_equal(again.observations, collector.observations)


@pytest.mark.parametrize(
    ("env_id", "line"),
    [
        ("own_broken:Point-v0", "No module named 'no_such_physics'"),
        ("own_broken:Point-v0", "start from the directory that holds it, install it, or put its directory on"),
        ("own_points:Piont-v0", "unknown environment 'own_points:Piont-v0'; did you mean own_points:Point-v0"),
        ("own_points.Point-v0", "a colon stands behind the module: --env own_points:Point-v0"),
    ],
)
def test_an_environment_that_is_not_found_says_why(env_id, line, own, capsys, tmp_path):
    assert main(["--env", env_id, "--expert", "cartpole", "--logdir", str(tmp_path / "runs")]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_a_film_of_what_cannot_be_rendered_says_so(own, cartpole):
    with pytest.raises(UserError, match="takes no render_mode='rgb_array', so it cannot be filmed"):
        film_episode(f"{own}:Point-v0", cartpole.policy, 3, None, 0)


def test_a_task_of_ones_own_that_never_ends_trains_an_expert_in_episodes_of_1000(own):
    assert ExpertTrainer(ExpertConfig(env=f"{own}:Never-v0")).config.length == 1_000


def test_demonstrations_of_one_step_are_left_out_and_named(own, refused, tmp_path):
    env_id = f"{own}:Brief-v0"
    whole = record(env_id, 9, random_policy(env_id), 20)
    left_out = whole.provenance["left_out"]
    assert left_out and len(whole.trajectories) == 20 - len(left_out)
    assert [episode.seed for episode in whole.trajectories] == [n for n in range(20) if n not in left_out]
    save_demonstrations(tmp_path / "ds", whole)
    refused(["found 20 of 1", "train for longer"], record, env_id, 1, random_policy(env_id), 20)


def test_a_film_has_even_sides():
    frames = [np.full((33, 31, 3), shade, np.uint8) for shade in range(0, 200, 20)]
    assert mp4(frames, 30.0)[4:8] == b"ftyp"


def test_actions_outside_choices_are_not_told_to_be_clipped(tmp_path, capsys):
    arrays = {"observations": np.zeros((1, 6, 4)), "actions": np.full((1, 5), 7), "rewards": np.zeros((1, 5))}
    np.savez(tmp_path / "in.npz", lengths=[5], **arrays)
    assert main(["data", "convert", str(tmp_path / "in.npz"), str(tmp_path / "out"), "--env", "cartpole"]) == 2
    err = capsys.readouterr().err
    assert "found 5 steps outside" in err and "--clip-actions" not in err


def test_names_of_directories_have_no_colon():
    assert environment_name("own_points:Point-v0") == "point"
    assert environment_name("ALE/Pong-v5") == "ale-pong"


def changed(expert, **arrays):
    return replace(expert, trajectories=(replace(expert.trajectories[0], **arrays), *expert.trajectories[1:]))


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"observations": np.zeros((21, 3))}, r"trajectory 0: observations: expected shape \[T, 2\] .*found \[21, 3\]"),
        ({"actions": np.zeros((20, 2))}, r"trajectory 0: actions: expected shape \[T, 1\] .*found \[20, 2\]"),
        ({"actions": np.zeros(20)}, r"trajectory 0: actions: expected shape \[T, 1\] .*found \[20\]"),
        ({"observations": np.zeros((2, 2)), "actions": [[0.0]], "rewards": [0]}, "at least 2 steps, found 1"),
    ],
)
def test_demonstrations_made_in_python_are_held_to_their_spaces(arrays, line):
    with pytest.raises(ValueError, match=line):
        changed(demonstrations(), **arrays)


def test_no_demonstrations_are_no_expert():
    with pytest.raises(ValueError, match="expected at least 1, found 0"):
        replace(demonstrations(), trajectories=[])


def test_lists_will_do_for_demonstrations(tmp_path):
    made = demonstrations().trajectories[0]
    lists = {name: getattr(made, name).tolist() for name in ("observations", "actions", "rewards")}
    trajectory = Trajectory(**lists, terminated=False, truncated=True)
    assert trajectory.observations.dtype == np.float32
    save_demonstrations(tmp_path / "ds", replace(demonstrations(), trajectories=[trajectory]))
    np.testing.assert_array_equal(load_demonstrations(tmp_path / "ds").trajectories[0].actions, made.actions)


def test_what_could_not_be_read_is_not_written(tmp_path):
    beyond = changed(demonstrations(), actions=np.full((20, 1), 1.5))
    with pytest.raises(UserError, match=r"trajectory 0: actions: expected actions inside .*at step 0"):
        save_demonstrations(tmp_path / "ds", beyond)
    with pytest.raises(UserError, match="provenance: expected what JSON can hold"):
        save_demonstrations(tmp_path / "ds", demonstrations(provenance={"by": object()}))
    assert not list(tmp_path.iterdir())


def test_actions_outside_are_not_imitated(own):
    beyond = changed(demonstrations(), actions=np.full((20, 1), 1.5))
    with pytest.raises(UserError, match="trajectory 0: actions: expected actions inside"):
        ImitationRun(imitation_preset("reset", f"{own}:Never-v0"), beyond, "dyna")


def boundless():
    large = changed(demonstrations(), actions=np.full((20, 1), -0.5))
    space = gym.spaces.Box(-np.inf, np.inf, (1,))
    return replace(
        large, trajectories=[replace(t, actions=600 * t.actions) for t in large.trajectories[:1]], action_space=space
    )


def test_actions_are_measured_by_how_far_they_go():
    np.testing.assert_array_equal(boundless().action.scale, [600])  # all are -300

    def acting(*actions):
        every = tuple(replace(t, actions=np.resize(actions, (len(t), 1))) for t in demonstrations().trajectories)
        return replace(demonstrations(), trajectories=every)

    small = acting(0.03, -0.04)
    np.testing.assert_allclose(small.action.scale, 2 * np.sqrt((0.03**2 + 0.04**2) / 2), rtol=0.01)
    np.testing.assert_allclose(small.action.reach, 1 / small.action.scale, rtol=1e-6)
    wide, still = acting(0.9), acting(0.0)
    np.testing.assert_array_equal([wide.action.scale, still.action.scale, wide.action.reach], np.ones((3, 1)))


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_observations_may_be_in_any_unit(unit):
    rng = np.random.default_rng(0)
    seen = np.stack([unit * rng.standard_normal(500), np.full(500, 7 * unit), unit * rng.uniform(99, 101, 500)], 1)
    mean, std = statistics(seen.astype(np.float32))
    np.testing.assert_array_equal(constant(seen.astype(np.float32)), [False, True, False])
    np.testing.assert_allclose(mean / unit, [0, 7, 100], atol=0.1)
    np.testing.assert_allclose(std, [unit, 1, unit / np.sqrt(3)], rtol=0.1)


FEW = small_flags(rollout={"steps": 20})


@pytest.mark.usefixtures("eager")
def test_what_an_environment_raises_is_one_line_with_what_is_kept(own, tmp_path, capsys):
    save_demonstrations(tmp_path / "ds", demonstrations())
    scratch = ["--warm-start", "none", *FEW[2:]]  # without the flag of the clone
    env_id = f"{own}:Breaks-v0"
    assert main(["--env", env_id, "--expert", str(tmp_path / "ds"), "--logdir", str(tmp_path), *scratch]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    run = tmp_path / f"{environment_name(env_id)}-dyna-seed0"
    assert line.startswith(f"error: environment '{env_id}': step: raised RuntimeError: the robot is on fire (")
    assert f"{own}.py, line " in line and line.endswith(f"last good checkpoint: {run / 'checkpoint.h5'}")
    assert load_run(run)["ledger"]["steps"]["training"] >= 20


@pytest.mark.usefixtures("eager")
def test_demonstrations_without_rewards_are_imitated_and_nothing_is_nan(own, tmp_path, capsys):
    made, env_id, out = demonstrations(8).trajectories[:1], f"{own}:Point-v0", tmp_path / "ds"
    arrays = {name: np.stack([getattr(each, name) for each in made]) for name in ("observations", "actions")}
    np.savez(tmp_path / "in.npz", lengths=[8], **arrays)
    assert main(["--env", env_id, "--expert", str(tmp_path / "in.npz")]) == 2
    assert f"data convert {tmp_path / 'in.npz'} OUT --env {env_id}" in capsys.readouterr().err
    assert main(["data", "convert", str(tmp_path / "in.npz"), str(out), "--env", env_id]) == 0
    assert main(["--env", env_id, "--expert", str(out), "--logdir", str(tmp_path), *FEW, "--env-steps", "30"]) == 0
    run = tmp_path / f"{environment_name(env_id)}-dyna-seed0"
    for words in (["evaluate", str(run)], ["plot", str(run), "--out", str(tmp_path / "curve.png")]):
        assert main(words) == 0
    shown = capsys.readouterr()
    assert "no rewards" in shown.err and "no return to compare with" in shown.out
    assert "nan" not in shown.out + shown.err
    assert "of the expert" not in shown.out
    row = {"iteration": 1, "return_mean": -3.0, "expert_percent": float("nan"), "wall_seconds": 2.0}
    assert EvaluationRows("env steps", True, compared=False).cells(row, 9, row, "4 s") == [
        "1",
        "9",
        "-3.0",
        "0.0",
        "2 s",
        "4 s",
    ]


def test_a_dataset_is_not_trusted_with_a_module(own, tmp_path, capsys):
    save_demonstrations(
        tmp_path / "ds", demonstrations(env_id=f"{own}:Point-v0", length=9, policy=random_policy(f"{own}:Point-v0"))
    )
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "ds")]) == 2
    assert f"if you ask for it: --env {own}:Point-v0" in capsys.readouterr().err
    assert main(["data", "check", str(tmp_path / "ds")]) == 0, "what is in the file can be checked without it"
    shown = capsys.readouterr()
    assert f"if you ask for it: --env {own}:Point-v0; this time, only the file is checked" in shown.err
    assert "not possible without simulator states" in shown.out
    assert main(["evaluate", str(tmp_path / "ds"), "--env", f"{own}:Point-v0"]) == 0


def test_a_policy_is_not_evaluated_where_it_does_not_fit(capsys):
    assert main(["evaluate", "hopper", "--env", "cartpole"]) == 2
    assert "expected a policy of 4 observations to fit the environment, found one of 11" in capsys.readouterr().err


def test_a_policy_is_saved_by_itself(cartpole, tmp_path, refused):
    save_policy(tmp_path / "agent.h5", cartpole.policy)
    again = load_policy(tmp_path / "agent.h5")
    seen = cartpole.trajectories[0].observations
    np.testing.assert_array_equal(again.act(seen), cartpole.policy.act(seen))
    (tmp_path / "other.h5").write_bytes(b"no such thing")
    refused([tmp_path / "other.h5"], load_policy, tmp_path / "other.h5")
    assert main(["evaluate", str(tmp_path / "agent.h5"), "--env", "cartpole", "--episodes", "1"]) == 0
    assert main(["evaluate", str(tmp_path / "agent.h5")]) == 2


def test_an_experts_file_by_another_name_is_no_policys_file(cartpole, tmp_path):
    save_demonstrations(tmp_path, cartpole)
    (tmp_path / "data" / "main_data.hdf5").rename(tmp_path / "data" / "mine.hdf5")
    seen = cartpole.trajectories[0].observations
    again = load_policy(tmp_path / "data" / "mine.hdf5")
    np.testing.assert_array_equal(again.act(seen), cartpole.policy.act(seen))


def test_a_policy_for_boundless_actions_is_saved_with_their_unit(tmp_path):
    made = boundless()
    weights = {
        "kernel_0": np.ones((2, 1), np.float32),
        "bias_0": np.ones(1, np.float32),
        "log_std": np.zeros(1, np.float32),
    }
    policy = NumpyPolicy(made.action, weights)
    save_demonstrations(tmp_path / "ds", replace(made, policy=policy))
    save_policy(tmp_path / "agent.h5", policy)
    for again in (load_demonstrations(tmp_path / "ds").policy, load_policy(tmp_path / "agent.h5")):
        np.testing.assert_array_equal(again.act(np.zeros(2)), [600])


def test_where_one_side_has_a_bound_planned_actions_are_those_executed(own):
    space = gym.spaces.Box(-5, np.inf, (1,))
    made = replace(changed(demonstrations(), actions=np.full((20, 1), 50.0)), action_space=space)

    class Half(gym.Wrapper):
        action_space = space

    agent = DynaAgent(imitation_preset("reset", f"{own}:Point-v0"), lambda: Half(make_env(f"{own}:Point-v0")), made)
    wanted = np.float32([[-3.0], [0.01], [2.0]])
    rebuilt = agent.policy.reparameterize(
        np.concatenate([wanted, np.zeros((3, 1), np.float32)], axis=1), np.zeros((3, 1), np.float32)
    )
    np.testing.assert_allclose(rebuilt, agent.acting.head.vectors(agent.acting.head.executed(wanted)), rtol=1e-6)


def test_choices_may_be_given_as_floats_that_are_whole(cartpole):
    first = cartpole.trajectories[0]
    whole = replace(cartpole, trajectories=[replace(first, actions=first.actions.astype(float))])
    assert whole.trajectories[0].actions.dtype == np.int64
    with pytest.raises(ValueError, match=r"trajectory 0: actions: expected numbers of choices, found 0\.5"):
        replace(cartpole, trajectories=[replace(first, actions=np.full(len(first), 0.5))])


def test_a_box_of_doubles_takes_actions_on_its_border(tmp_path):
    space = gym.spaces.Box(np.array([-0.1]), np.array([0.1]), dtype=np.float64)
    border = demonstrations().trajectories[0]
    made = replace(demonstrations(), trajectories=[replace(border, actions=np.full((20, 1), 0.1))], action_space=space)
    save_demonstrations(tmp_path / "ds", made)
    np.testing.assert_allclose(load_demonstrations(tmp_path / "ds").trajectories[0].actions, 0.1)
    fixed = action_spec(gym.spaces.Box(np.array([0.1, -1]), np.array([0.1, 1]), dtype=np.float64))
    assert list(fixed.fixed) == [True, False]
    assert not fixed.outside(np.float32([[0.1, 0]])).any()


def test_demonstrations_in_hdf5_need_no_rewards(tmp_path, put):
    save_demonstrations(tmp_path / "ds", demonstrations())
    for number in range(2):
        put(tmp_path / "ds" / "data" / "main_data.hdf5", f"episode_{number}/rewards", None)
    assert not load_demonstrations(tmp_path / "ds").has_rewards


def test_what_rounding_leaves_of_zero_is_constant():
    assert constant(1e-16 * np.random.default_rng(0).standard_normal((500, 1))).all()


def test_a_reward_that_becomes_an_array_later_and_a_missing_space_are_one_line(own, tmp_path, monkeypatch, refused):
    (tmp_path / "own_faulty.py").write_text(
        "import gymnasium, numpy\n"
        "class Late(gymnasium.Env):\n"
        "    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (2,), numpy.float32)\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        self.t = 0\n"
        "        return numpy.zeros(2, numpy.float32), {}\n"
        "    def step(self, action):\n"
        "        self.t += 1\n"
        "        reward = 1.0 if self.t < 5 else numpy.ones(1)\n"
        "        return numpy.zeros(2, numpy.float32), reward, False, self.t == 9, {}\n"
        "class Spaceless(gymnasium.Env):\n"
        "    action_space = Late.action_space\n"
        "gymnasium.register('Late-v0', Late)\n"
        "gymnasium.register('Spaceless-v0', Spaceless)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    env = make_env("own_faulty:Late-v0")
    env.reset(seed=0)
    for _ in range(4):
        env.step(np.zeros(2, np.float32))
    refused(["step: reward: expected one number, found an array of shape [1]"], env.step, np.zeros(2, np.float32))
    refused(["observation_space: expected a Gymnasium space, found none"], make_env, "own_faulty:Spaceless-v0")


def test_an_id_without_its_version_is_refused_with_it(own, refused):
    refused(
        [f"environment '{own}:Point': expected an id with its version, such as {own}:Point-v0"],
        make_env,
        f"{own}:Point",
    )
    refused(["expected an id with its version, such as Hopper-v5"], make_env, "Hopper")


def test_demonstrations_without_a_policy_are_not_played_whatever_their_environment(own, tmp_path, refused):
    save_demonstrations(tmp_path / "ds", demonstrations(env_id=f"{own}:Point-v0", length=9))
    refused(["expected a run, or an expert with its policy"], find_subject, tmp_path / "ds", None)
