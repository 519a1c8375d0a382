"""`doctor` finds what is wrong with runs that were broken on purpose, and nothing in a healthy one."""

import itertools
import math
import re
import shlex
from dataclasses import asdict, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import random_policy, small_config

from mgail_dyna import runtime
from mgail_dyna.algorithms.base import Budget
from mgail_dyna.algorithms.registry import ALGORITHMS
from mgail_dyna.cli.advice import doctor_hint
from mgail_dyna.cli.arguments import parse
from mgail_dyna.cli.commands.data_check import CheckCommand
from mgail_dyna.cli.commands.doctor import DoctorCommand, report
from mgail_dyna.cli.commands.evaluate import EvaluateCommand
from mgail_dyna.cli.commands.train import TrainCommand, resolved
from mgail_dyna.cli.main import COMMANDS, main
from mgail_dyna.cli.session import Session
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.reference import Reference
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.experiments.markdown import findings_table
from mgail_dyna.runs.directory import CHECKPOINT, CURVE, RunSettings, flatten, save_run, write_settings
from mgail_dyna.runs.doctor import Found, changed, diagnose, play_evaluation
from mgail_dyna.runs.evidence import LEARNED
from mgail_dyna.runs.final import FinalEpisodes, write_final
from mgail_dyna.runs.findings import FINDINGS
from mgail_dyna.runs.run import EVALUATION_SEED, EVALUATION_SEEDS
from mgail_dyna.storage import locked

EXPERT, STEPS, ITERATIONS, SIZE = 50.0, 6, 20, 17
NAN = math.nan
# A run that learned: each column at its last iterations.
HEALTHY = {
    "return_std": 1.0,
    "discriminator/accuracy_agent": 0.5,
    "discriminator/accuracy_expert": 0.8,
    "discriminator/loss": 1.37,
    "dynamics/loss": 0.03,
    "dynamics/error_1": 0.1,
    "learn/gradient_norm": 0.3,
    "plan/gradient_norm": 0.3,
    "policy/step_accepted": 1.0,
    "policy/explained_variance": 0.8,
}
RISING = np.linspace(5, 98, ITERATIONS)
# What breaks a run, by the name of the finding that it must lead to.
BROKEN = {
    "the return was still rising": {"percents": np.linspace(5, 70, ITERATIONS)},
    "the agent was never near the expert": {"percents": np.linspace(5, 30, ITERATIONS), "discriminator/loss": 1.0},
    "some observations vary only in the environment": {"percents": np.linspace(5, 60, ITERATIONS), "still": [3, 5]},
    "learning has made the clone worse": {"percents": np.linspace(90, 60, ITERATIONS), "clone": True},
    "the return rose and fell again": {"percents": np.concatenate([RISING[::2], RISING[::-2]])},
    "the return swings": {"percents": np.where(np.arange(ITERATIONS) % 2, 98.0, 80.0)},
    "some evaluation episodes fail": {"return_std": 0.6 * EXPERT},
    "final episodes fail": {"final": [95.0] * 95 + [-5.0, 20.0, 49.0, 40.0, 40.0]},
    "learning has stopped": {"final": [95.0] * 95 + [0.0] * 5, "cloning/rate": 0.002, "clone": True},
    "episodes end early": {"length": 3},
    "the discriminator has won": {"discriminator/accuracy_agent": 0.99, "discriminator/accuracy_expert": 1.0},
    "the discriminator sees no difference": {"percents": np.linspace(5, 30, ITERATIONS)},
    "the model predicts little better than no change": {"dynamics/loss": 0.9 * SIZE / 2},
    "the model errs on new steps": {"dynamics/error_1": 0.9},
    "the policy is at its bounds": {"bias": 100.0},
    "planning gradients explode": {"plan/gradient_norm": 400.0},
    "the line search finds no improvement": {"policy/step_accepted": 0.4},
    "the value network does not follow": {"policy/explained_variance": -0.5},
}


def policy_of(bias=0.0):
    """A policy of small actions, or with a `bias` of all of them."""
    policy = random_policy("HalfCheetah-v5")
    weights = {**policy.weights, "kernel_1": policy.weights["kernel_1"] * np.float32(0.01)}
    policy.load({**weights, "bias_1": np.full(policy.spec.size, bias, np.float32)})
    return policy


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    path = tmp_path_factory.mktemp("demos") / "cheetah"
    save_demonstrations(path, record("HalfCheetah-v5", STEPS, policy_of(), 2))
    return path


@pytest.fixture
def made(tmp_path, demos):
    """Makes a run's directory, by the functions that runs use: a healthy one, but for the changes."""

    def make(
        percents=RISING,
        length=STEPS,
        bias=0.0,
        expert_return=EXPERT,
        expert=demos,
        checkpoint=True,
        final=None,
        clone=False,
        still=(),
        **columns,
    ):
        if still:
            expert = tmp_path / "still"
            held = load_demonstrations(demos)
            for trajectory in held.trajectories:
                trajectory.observations[:, still] = 0.5
            save_demonstrations(expert, held, overwrite=True)
        warm_start = "bc" if clone else "none"
        config = small_config("dyna", "HalfCheetah-v5", evaluation_episodes=10, warm_start=warm_start)
        settings = RunSettings("dyna", "tuned", str(expert), None, config)
        tmp_path.mkdir(exist_ok=True)
        write_settings(tmp_path, settings, expert_return, STEPS, {})
        history = [
            {
                **{"iteration": n, "env_steps": 100 * (n - clone), "real_trajectories": n},
                "return_mean": percent * EXPERT / 100,
                **{"expert_percent": percent if math.isfinite(expert_return) else NAN},
                **{name: value for name, value in (HEALTHY | columns).items() if value is not None},
                "evaluation_steps": 10 * length * n,
            }
            for n, percent in enumerate(map(float, percents), 1)
        ]
        save_run(tmp_path, {"history": history, "agent": {"acting": policy_of(bias).state()}})
        write_final(tmp_path, final_episodes(final or [percents[-1]] * 99 + [percents[-1] / 2]))
        if not checkpoint:
            (tmp_path / CHECKPOINT).unlink()
        return tmp_path

    return make


def final_episodes(percents):
    returns = np.array(percents) * EXPERT / 100
    return FinalEpisodes(np.arange(len(returns)), np.full(len(returns), STEPS), returns)


def names(diagnosis):
    return [found.finding.name for found in diagnosis.found]


def test_nothing_is_found_in_a_healthy_run(made, cli):
    diagnosis = diagnose(made())
    assert (names(diagnosis), diagnosis.notes) == ([], ())
    assert diagnosis.skipped == (), "a run from scratch has no clone"
    assert len(diagnosis.looked_for) == len(FINDINGS) - 2
    done = cli("doctor", made())
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith(
        "20 iterations, 2,000 of 100,000 env steps, 97.5% of the expert in the final episodes"
    ), "their mean, and not the last evaluation"
    none_played = next(report(made(), replace(diagnosis, final=False)))
    assert none_played.endswith("97.5% of the expert in the last evaluation")
    looked_for = f"among the {len(FINDINGS) - 2} that were looked for (docs/troubleshooting.md)"
    assert done.stdout.splitlines()[1] == f"no fault found {looked_for}"
    *_, few, watch = done.stdout.splitlines()
    assert few == "final episodes below half of the expert's return, too few to be a fault: seed 99 (return 24.5)"
    assert watch.startswith("   to watch one: ") and " --episodes 1 --seed 99 --video seed-99.mp4" in watch


@pytest.mark.parametrize(("name", "good"), [("the model errs on new steps", True), ("final episodes fail", False)])
def test_a_run_that_ended_near_its_expert_need_not_be_mended(name, good, made):
    run = made(**BROKEN[name])
    diagnosis = diagnose(run)
    assert diagnosis.percent >= 90
    lines = list(report(run, diagnosis))
    assert (lines[1] == "note: the run is at 90% of the expert or more, so what follows need not be mended") == good
    worse = list(report(run, replace(diagnosis, percent=89.0)))
    assert not any("need not be mended" in line for line in worse)
    assert worse[1].startswith("note: the run has not ended, and early faults can pass; to continue it: ")
    assert worse[1].endswith(f" --resume {run}")
    with locked(run / "lock"):
        busy = list(report(run, replace(diagnosis, percent=89.0)))
    assert busy[1] == "note: the run is in training, and early faults can pass"
    assert not any("--resume" in line for line in busy), "a second process cannot continue it"
    assert not any("has not ended" in line for line in report(run, replace(diagnosis, percent=89.0, spent=True)))


def test_a_run_that_made_its_clone_worse_is_not_to_be_extended(made):
    run = made(**BROKEN["learning has made the clone worse"])
    diagnosis = replace(diagnose(run), spent=True)
    rising = replace(diagnose(made(**BROKEN["the return was still rising"])), spent=True)
    assert any("--resume" in line for line in report(run, rising))
    both = replace(diagnosis, found=(*rising.found, *diagnosis.found))
    assert not any("--resume" in line for line in report(run, both))


def test_every_finding_is_tried():
    assert list(BROKEN) == [finding.name for finding in FINDINGS]


@pytest.mark.parametrize("name", BROKEN)
def test_a_run_broken_on_purpose_is_found(name, made, cli):
    directory = made(**BROKEN[name])
    assert name in names(diagnose(directory))
    finding = next(finding for finding in FINDINGS if finding.name == name)
    done = cli("doctor", directory / CHECKPOINT)
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if re.match(rf"\d+\. {name}: ", line))
    assert lines[at].endswith(f" ({finding.when} is a fault)")
    said = [line.split(":")[0].split(",")[0].strip() for line in lines[at + 1 : at + 3]]
    assert said == ["meaning", "try"]
    assert "how these numbers are measured: docs/troubleshooting.md" in lines
    tries = list(itertools.takewhile(lambda line: line.startswith("     "), lines[at + 3 :]))
    assert tries
    for line in tries:  # each command can be pasted
        if line.strip().startswith(program := runtime.program()):
            accepts(shlex.split(line.strip().removeprefix(program)))


def accepts(words):
    """Asserts that a command line is one, without doing it."""
    if words[0].startswith("--"):
        return resolved(words)
    if words[0] == "data":
        return parse(CheckCommand, words[2:], prog="data check")
    return parse({"evaluate": EvaluateCommand, "doctor": DoctorCommand}[words[0]], words[1:], prog=words[0])


def proposed(name, algorithm="dyna", limit=None, clone=False, **changes):
    config = small_config(algorithm, "HalfCheetah-v5", **changes)
    finding = next(finding for finding in FINDINGS if finding.name == name)
    found = changed(finding, RunSettings(algorithm, "tuned", "", None, config), limit, clone)
    return {change.flag: value for change, value in found}


def test_a_change_that_is_made_forbidden_or_without_effect_is_not_proposed():
    won = {"cost": "logit", "discriminator.gradient-penalty": 1.0, "discriminator.steps": 4}
    changes = {"cost": "saturating", "discriminator": {"gradient_penalty": 0.5, "steps": 8, "imagined_fraction": 0.2}}
    found = proposed("the discriminator has won", **changes)
    assert found == won | {"discriminator.imagined-fraction": 0.5}
    changes["discriminator"] |= {"recent_fraction": 0.8}
    assert proposed("the discriminator has won", **changes | {"cost": "logit"}) == {
        name: value for name, value in won.items() if name != "cost"
    }
    early = proposed("episodes end early", plan={"length": 60, "recent_steps": 1_000, "demo_fraction": 1.0})
    assert early == {}, "they start late enough"
    assert proposed("episodes end early", "gail") == {}


def test_a_penalty_of_zero_is_not_doubled_and_numbers_keep_their_type():
    usual = ImitationConfig().discriminator.gradient_penalty
    name = "the discriminator has won"
    assert proposed(name, discriminator={"gradient_penalty": 0.0})["discriminator.gradient-penalty"] == usual
    blind = "the discriminator sees no difference"
    assert "discriminator.gradient-penalty" not in proposed(blind, discriminator={"gradient_penalty": 0.0})
    assert proposed(blind, discriminator={"gradient_penalty": 1})["discriminator.gradient-penalty"] == 0.5
    assert proposed(name, discriminator={"steps": 15})["discriminator.steps"] == 7


def test_episodes_are_not_made_longer_than_the_environment_has_them():
    name, flag = "some evaluation episodes fail", "rollout.reset-length"
    rollout = {"initial_states": "reset", "reset_length": 600}
    assert proposed(name, rollout=rollout)[flag] == 1_200
    assert proposed(name, limit=1_000, rollout=rollout)[flag] == 1_000
    assert flag not in proposed(name, limit=600, rollout=rollout)
    assert flag not in proposed(name, limit=1_000, rollout=rollout | {"initial_states": "demos"})


def test_a_clone_has_settings_of_its_own():
    name, settings = "some evaluation episodes fail", {"warm_start": "bc", "cloning": {"reset_length": 600}}
    assert proposed(name, limit=1_000, clone=True, **settings)["cloning.reset-length"] == 1_000
    assert "rollout.reset-length" in proposed(name, limit=1_000, **settings), "it was thrown away"


def tries(directory, name):
    """What `doctor` prints below "try" for a finding, without the program."""
    lines = list(report(directory, diagnose(directory)))
    at = next(i for i, line in enumerate(lines) if re.match(rf"\d+\. {name}: ", line))
    said = itertools.takewhile(lambda line: line.startswith("     "), lines[at + 3 :])
    return [line.strip().removeprefix(runtime.program()).strip() for line in said]


def settled(directory, algorithm="dyna", iterations=None, expert="hopper", **changes):
    """The run in `directory` with other settings."""
    known = algorithm if algorithm in ALGORITHMS else "dyna"
    config = small_config(known, "HalfCheetah-v5", evaluation_episodes=10, **changes)
    write_settings(directory, RunSettings(algorithm, "tuned", expert, iterations, config), EXPERT, STEPS, {})
    return directory


def test_the_run_is_continued_only_where_that_does_something(made):
    rising = {"percents": np.linspace(5, 70, ITERATIONS)}
    name = "the return was still rising"
    run = settled(made(**rising))
    assert tries(run, name) == [f"--resume {run}"]
    assert tries(settled(run, env_steps=2_000), name) == [f"--resume {run} --env-steps 4000"]
    assert tries(settled(run, iterations=ITERATIONS), name) == [f"--resume {run} --iterations {2 * ITERATIONS}"]
    assert tries(settled(run, "bc"), name) == [], "a clone takes no more steps"


def test_a_run_of_an_algorithm_of_ones_own_is_diagnosed(made):
    run = settled(made(**BROKEN["the discriminator has won"]), "one-of-mine")
    assert tries(run, "the discriminator has won") == []
    assert tries(settled(made(**BROKEN["final episodes fail"]), "one-of-mine"), "final episodes fail")


def test_cloning_is_proposed_where_there_are_actions_and_in_the_same_environment(made):
    name = "the agent was never near the expert"
    run = made(**BROKEN[name])
    advice = "data check hopper --env HalfCheetah-v5 --plot check.png"
    assert tries(settled(run, observations_only=True), name) == tries(settled(run, "bc"), name) == [advice]
    asked = {"env_kwargs": '{"frame_skip": 4}', "demonstrations": 3, "subsample": 2, "expert": "/d/RUNS of EXPERT/x"}
    command, _ = tries(settled(run, **asked), name)
    assert shlex.split(command) == [
        *("--env", "HalfCheetah-v5", "--env-kwargs", '{"frame_skip": 4}', "--mode", "bc"),
        *("--expert", "/d/RUNS of EXPERT/x", "--demonstrations", "3", "--subsample", "2"),
    ]


def test_every_finding_has_something_to_try_in_every_mode(made):
    run = made()
    for algorithm in ALGORITHMS:
        diagnosis = diagnose(settled(run, algorithm))
        for finding in FINDINGS[1:]:  # nothing continues a clone that is done
            if not any(ALGORITHMS[algorithm].ignores(setting, "none") for setting in finding.settings):
                found = replace(diagnosis, found=(Found(finding, finding.worst),))
                assert any(line.startswith("   try") for line in report(run, found)), (algorithm, finding.name)


def test_numbers_are_those_of_the_run(made):
    def value(name, **changes):
        return next(found.value for found in diagnose(made(**changes)).found if found.finding.name == name)

    assert value("the agent was never near the expert", percents=[1, 40, 20]) == 40
    assert value("the return rose and fell again", percents=[1, 90, 40]) == pytest.approx(50.2)
    assert value("the return rose and fell again", percents=[1, 90, 40], final=[60.0] * 4) == 30, "these count"
    assert value("some observations vary only in the environment", percents=[1, 40, 60], still=[3, 5]) == 2
    assert value("learning has made the clone worse", percents=[90, 95, 70], clone=True) == pytest.approx(20.35)
    assert value("the return swings", percents=[50, 90, 50, 90, 50]) == 40
    assert value("episodes end early", length=3) == 0.5
    assert value("the model predicts little better than no change", **{"dynamics/loss": 17.0}) == 2.0
    assert value("the policy is at its bounds", bias=-100.0) == 1.0


def test_a_run_that_never_came_near_is_said_before_its_failing_episodes(made):
    run = made(percents=np.linspace(5, 8, ITERATIONS), final=[8.0] * 100)
    found = names(diagnose(run))
    assert found.index("the agent was never near the expert") < found.index("final episodes fail")


def test_what_the_demonstrations_hold_still_matters_only_where_the_run_is_not_near_the_expert(made):
    assert "some observations vary only in the environment" not in names(diagnose(made(still=[3])))


def test_the_worst_comes_first(made):
    slight, bad = (
        {"dynamics/error_1": 0.51},
        {"discriminator/accuracy_agent": 1.0, "discriminator/accuracy_expert": 1.0},
    )
    assert names(diagnose(made(**slight, **bad))) == ["the discriminator has won", "the model errs on new steps"]
    slight, bad = {"dynamics/error_1": 2.0}, dict.fromkeys(bad, 0.951)
    assert names(diagnose(made(**slight, **bad))) == ["the model errs on new steps", "the discriminator has won"]


def test_a_rising_return_does_not_swing(made):
    assert "the return swings" not in names(diagnose(made(percents=np.linspace(0, 100, 5))))


def test_a_run_whose_returns_are_not_compared(made):
    diagnosis = diagnose(made(expert_return=NAN, percents=np.linspace(1, 10, ITERATIONS)))
    assert names(diagnosis) == [] and math.isnan(diagnosis.percent)
    assert "the agent was never near the expert" in diagnosis.skipped


def test_without_demonstrations_or_checkpoint_the_rest_is_looked_for(made, tmp_path):
    directory = made(expert=tmp_path / "gone", checkpoint=False, **{"dynamics/error_1": 0.9})
    diagnosis = diagnose(directory)
    assert names(diagnosis) == ["the model errs on new steps"]
    assert [note.split(":")[0] for note in diagnosis.notes] == [
        "the demonstrations cannot be read",
        "the policy cannot be read",
    ]
    spread = "some evaluation episodes fail"
    assert {"episodes end early", "the policy is at its bounds", spread} <= set(diagnosis.skipped)


def test_a_model_free_run_may_have_a_discriminator_that_is_ahead(made):
    ahead = {"discriminator/accuracy_agent": 1.0, "discriminator/accuracy_expert": 1.0}
    assert names(diagnose(made(**ahead, **{"dynamics/loss": None, "dynamics/error_1": None}))) == []


def test_what_is_no_run_is_one_line(made, tmp_path, cli):
    for directory in (tmp_path / "none", tmp_path):
        done = cli("doctor", directory)
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    directory = made()
    for curve in ("", "iteration\n1\n", "env_steps,expert_percent,return_mean,return_std\n1,x,2,3\n"):
        (directory / CURVE).write_text(curve)
        done = cli("doctor", directory)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"error: {directory / CURVE}: expected")
    (directory / CURVE).unlink()
    assert "no such file" in cli("doctor", directory).stderr


def test_failing_starts_are_named(made, cli, monkeypatch):
    directory = made(expert_return=100.0)
    returns = {EVALUATION_SEED + n: 10.0 if n in (3, 7) else 95.0 for n in range(10)}
    good = record("HalfCheetah-v5", STEPS, policy_of(), 1).trajectories[0]

    def play(env, policy, seed):
        return replace(good, rewards=np.full(STEPS, returns[seed] / STEPS))

    monkeypatch.setattr("mgail_dyna.runs.doctor.play_episode", play)
    episodes = play_evaluation(directory)
    assert [episode.seed for episode in episodes if episode.fails] == [EVALUATION_SEED + 3, EVALUATION_SEED + 7]
    lines = cli("doctor", directory, "--play").stdout.splitlines()
    assert "evaluation episodes: 2 of 10 fail" in lines
    assert f"  seed {EVALUATION_SEED + 3}: return 10.0 in 6 steps, fails" in lines


def test_the_episodes_are_those_of_the_evaluation(made, demos):
    from mgail_dyna.runs.run import ImitationRun

    directory = made(expert_return=NAN)
    seeds = [episode.seed for episode in play_evaluation(directory)]
    assert seeds == [EVALUATION_SEED + n for n in range(10)]
    config = replace(small_config("dyna", "HalfCheetah-v5"), seed=4)

    class Run:
        evaluation_seed = ImitationRun.evaluation_seed

    run = Run()
    run.config = config
    assert run.evaluation_seed == EVALUATION_SEED + 4 * EVALUATION_SEEDS


def test_a_run_below_80_percent_points_here(tmp_path):
    def row(percent):
        return {"return_mean": 1.0, "expert_percent": percent}

    known = Reference(EXPERT, STEPS, failures=0.0)

    def hint(*percents, final=None, expert=known):
        return doctor_hint(tmp_path, [row(percent) for percent in percents], final, expert)

    assert f"doctor {tmp_path}" in hint(90.0, LEARNED - 0.1)
    assert hint(10.0, LEARNED) is None and hint(NAN) is None
    assert doctor_hint(tmp_path, [{"return_mean": NAN, "expert_percent": NAN}], None, Reference(NAN, 6, "why")) is None
    failing = final_episodes([99.0] * 95 + [-5.0, 10.0] + [0.0] * 3)
    assert hint(99.0, final=failing).startswith("5 of 100 final episodes fail")
    assert hint(99.0, final=failing, expert=Reference(EXPERT, STEPS, failures=0.03)) is None, "so do the expert's"
    assert hint(99.0, final=failing, expert=Reference(NAN, STEPS, "not compared")) is None
    assert hint(99.0, final=final_episodes([99.0] * 97 + [10.0] * 3)) is None


def test_the_advice_can_be_pasted(made, capsys):
    directory = made(**BROKEN["final episodes fail"])
    assert main(["doctor", str(directory)]) == 0
    said = capsys.readouterr().out
    assert f"evaluate {directory} --episodes 1 --seed 95 --video seed-95.mp4" in said
    assert "SEED" not in said and " RUN" not in said
    assert "final episodes below half of the expert's return: seed 95" in said
    directory = made(final=[95.0] * 99 + [-5.0])
    assert main(["doctor", str(directory)]) == 0
    assert "expert's return, too few to be a fault: seed 99" in capsys.readouterr().out


def test_the_advice_names_flags_that_exist():
    known = {name.replace("_", "-") for name, _ in flatten(asdict(small_config()))}
    for kind in (TrainCommand, EvaluateCommand, DoctorCommand, CheckCommand):
        known |= {entry.name.replace("_", "-") for entry in fields(kind)}
    for row in findings_table()[1:]:
        for flag in re.findall(r"--([\w.-]+)", " ".join(row)):
            assert flag in known, flag
        for command in re.findall(r"`([a-z]+) RUN", row[-1]):
            assert command in COMMANDS
        assert all("|" not in cell for cell in row)


@pytest.mark.parametrize("percent", [30.0, 95.0])
def test_the_end_of_a_run_names_the_doctor_where_it_is_needed(percent, made, capsys):
    directory = made(percents=[percent])
    numbers = {"iteration": 1, "evaluation_steps": 60, "cpu_seconds": 1.0, "wall_seconds": 1.0, "return_std": 0.0}
    row = {"env_steps": 100, "real_trajectories": 1, "return_mean": 1.0, "expert_percent": percent}
    agent = SimpleNamespace(budget=Budget(100, "env steps"), progress=1.0)
    env = SimpleNamespace(metadata={"render_modes": ["rgb_array"]})
    reference, config = SimpleNamespace(mean=EXPERT, error=0.0), small_config("dyna", "HalfCheetah-v5")
    run = SimpleNamespace(
        history=[numbers | row],
        config=config,
        best=None,
        final=None,
        agent=agent,
        reference=reference,
        env_steps=100,
        evaluation_env=env,
    )
    run.ended = lambda iterations=None: True
    Session(run, directory, RunSettings("dyna", "tuned", "halfcheetah", None, config), None)._report()
    assert (f"doctor {directory}" in capsys.readouterr().out) == (percent < LEARNED)


def test_a_run_that_imitates_a_part_of_its_demonstrations_says_so_where_it_is_not_near_the_expert(made, demos):
    far = {"percents": np.linspace(5, 60, ITERATIONS)}
    part = settled(made(**far), demonstrations=1, expert=str(demos))
    (note,) = diagnose(part).notes
    assert note == "the run imitates 1 of 2 demonstrations (--demonstrations); more help"
    assert diagnose(settled(part, demonstrations=2, expert=str(demos))).notes == ()
    assert diagnose(settled(made(), demonstrations=1, expert=str(demos))).notes == ()


def test_a_clone_that_was_thrown_away_has_not_stopped(made):
    broken = BROKEN["learning has stopped"]
    assert "learning has stopped" in names(diagnose(made(**broken)))
    assert "learning has stopped" not in names(diagnose(made(**broken, **{"cloning/kept": 0.0})))
