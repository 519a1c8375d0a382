"""Sweeps: every run is done once and recorded once, whatever is killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from helpers import begins_with

from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.main import main
from mgail_dyna.config.presets import environment_id
from mgail_dyna.experiments import jobs as jobs_module
from mgail_dyna.experiments.jobs import Job, Outcome, attempt
from mgail_dyna.experiments.kinds import Run
from mgail_dyna.experiments.pools import LocalPool
from mgail_dyna.experiments.records import from_run, read_kind, read_record, record_path, write_record
from mgail_dyna.experiments.suites import FIGURES, SUITES, runs_of
from mgail_dyna.experiments.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT / "tests" / "stand_in" / "run.py"


@pytest.fixture
def job(tmp_path):
    def make(seed=0, **flags):
        words = {"env-steps": 3, "seed": seed, **flags}
        arguments = tuple(word for name, value in words.items() for word in (f"--{name}", str(value)))
        return Job(Run("tiny", f"task-seed{seed}", arguments), tmp_path / "runs", tmp_path / "results", STAND_IN)

    return make


def starts(job):
    return (job.directory / "starts.txt").read_text().splitlines()


def record_of(job):
    return read_record(record_path(job.results, job.run))


def test_a_sweep_runs_what_is_not_recorded_and_records_it(job):
    first, second = job(0), job(1)
    assert sweep([first], LocalPool(1)) == []
    before = record_path(first.results, first.run).read_bytes()
    assert sweep([first, second], LocalPool(2)) == []
    assert len(starts(first)) == 1, "recorded, but run again"
    assert record_path(first.results, first.run).read_bytes() == before
    assert record_of(second).seed == 1
    assert record_of(second).arguments == second.run.arguments
    assert record_of(second).curve["expert_percent"].tolist() == [10, 20, 30]


def test_a_failed_run_is_retried_once_from_its_checkpoint_and_the_others_continue(job, tmp_path, capfd):
    bad, shaky, good = job(0, fail=2), job(1, fail=2, once=tmp_path / "failed"), job(2)
    assert sweep([bad, shaky, good], LocalPool(1)) == [bad]
    assert [line.split()[0] for line in starts(bad)] == ["--env-steps", "--resume"]
    assert not bad.recorded
    assert good.recorded
    assert record_of(shaky).curve["env_steps"].tolist() == [1, 2, 3]
    err = capfd.readouterr().err
    assert "task-seed0  retried" in err and "task-seed0  failed" in err
    assert "error: asked to fail" in err


def test_a_run_without_a_checkpoint_starts_again_in_its_directory(job):
    unlucky = job()
    half = unlucky.directory / "task-mode"
    half.mkdir(parents=True)
    (half / "config.json").write_text("{}")
    (half / "left-over").touch()
    assert sweep([unlucky], LocalPool(1)) == []
    assert not (half / "left-over").exists()
    assert sorted(path.name for path in unlucky.directory.iterdir() if path.is_dir()) == ["earlier", "task-mode"]
    assert (unlucky.directory / "earlier" / "task-mode" / "left-over").exists()


def test_a_killed_child_is_resumed(job):
    killed = job(**{"env-steps": 40, "seconds": 0.05})
    thread = threading.Thread(target=sweep, args=([killed], LocalPool(1)))
    thread.start()
    process = wait_for_child(killed)
    os.kill(process, signal.SIGKILL)
    thread.join(timeout=60)
    assert [line.split()[0] for line in starts(killed)] == ["--env-steps", "--resume"]
    assert record_of(killed).curve["env_steps"].tolist() == list(range(1, 41))


def wait_for_child(job, evaluations=5, seconds=60):
    """The process id of the job's run, once it has more than `evaluations` rows."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().decode().split("\0")
            except OSError:
                continue
            ours = any(word == str(job.directory) or word.startswith(f"{job.directory}/") for word in words)
            curve = next(job.directory.glob("*/progress.csv"), None)
            if ours and curve is not None and len(curve.read_text().splitlines()) > evaluations:
                return int(entry.parent.name)
        time.sleep(0.02)
    raise AssertionError("the run has written nothing")


PARENT = """
import sys
from pathlib import Path
from mgail_dyna.experiments.kinds import Run
from mgail_dyna.experiments.jobs import Job
from mgail_dyna.experiments.pools import LocalPool, RayPool
from mgail_dyna.experiments.sweep import sweep
place, program, logdir, results, *words = sys.argv[1:]
program = None if program == "None" else Path(program)
job = Job(Run("tiny", "task-seed0", tuple(words)), Path(logdir), Path(results), program)
sys.exit(len(sweep([job], RayPool("local", 1, Path(logdir)) if place == "ray" else LocalPool(1))))
"""


def parent(job, place="here"):
    words = [sys.executable, "-c", PARENT, place, job.program, job.logdir, job.results, *job.run.arguments]
    # If the tests run as a shell's background job, they and their children ignore interrupts.
    unblock = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(list(map(str, words)), cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=unblock)


def test_a_killed_parent_leaves_a_run_that_the_next_sweep_waits_for(job, capfd):
    orphan = job(**{"env-steps": 60, "seconds": 0.05})
    process = parent(orphan)
    wait_for_child(orphan)
    process.kill()
    process.communicate()
    assert attempt(orphan, lambda: False) == Outcome("elsewhere")
    assert sweep([orphan], LocalPool(1)) == []
    states = [line.split()[1] for line in capfd.readouterr().err.splitlines()]
    assert states[0] == "elsewhere" and states[-1] == "done"
    assert record_of(orphan).curve["env_steps"].tolist() == list(range(1, 61))
    assert [line.split()[0] for line in starts(orphan)] == ["--env-steps", "--resume"]


def test_parent_and_child_killed_and_the_next_sweep_completes(job):
    victim = job(**{"env-steps": 40, "seconds": 0.05})
    process = parent(victim)
    child = wait_for_child(victim)
    process.kill()
    os.kill(child, signal.SIGKILL)
    process.communicate()
    assert sweep([victim], LocalPool(1)) == []
    assert record_of(victim).curve["env_steps"].tolist() == list(range(1, 41))


def test_two_sweeps_at_once_do_each_run_once(job):
    shared = [job(seed, **{"env-steps": 5, "seconds": 0.1}) for seed in range(3)]
    found = []
    threads = [threading.Thread(target=lambda: found.append(sweep(shared, LocalPool(2)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == [[], []]
    assert all(len(starts(one)) == 1 for one in shared)
    assert all(one.recorded for one in shared)


def test_a_record_made_by_other_arguments_is_not_taken_for_this_one(job, refused):
    assert sweep([job()], LocalPool(1)) == []
    refused(["made by `run.py --env-steps 3", "remove the record"], sweep, [job(**{"env-steps": 4})], LocalPool(1))


def test_a_checkpoint_of_other_arguments_is_not_resumed(job):
    shaky = job(fail=2)
    assert sweep([shaky], LocalPool(1)) == [shaky]
    assert sweep([job(**{"env-steps": 5})], LocalPool(1)) == []
    assert starts(shaky)[-1].split()[:2] == ["--env-steps", "5"], "started again, not resumed"
    assert record_of(shaky).curve["env_steps"].tolist() == [1, 2, 3, 4, 5]


def test_a_run_whose_record_was_removed_is_repeated(job):
    once = job()
    assert sweep([once], LocalPool(1)) == []
    record_path(once.results, once.run).unlink()
    assert sweep([once], LocalPool(1)) == []
    assert [line.split()[0] for line in starts(once)] == ["--env-steps", "--env-steps"]


def test_a_run_recorded_in_another_directory_is_repeated_and_the_first_one_is_kept(job):
    once = job()
    again = replace(once, results=once.results.with_name("others"))
    assert sweep([once], LocalPool(1)) == sweep([again], LocalPool(1)) == []
    assert once.recorded and again.recorded
    assert (once.directory / "earlier" / "task-mode" / "checkpoint.h5").exists()


@pytest.mark.slow
def test_on_ray_a_run_is_interrupted_and_resumed(job):
    pytest.importorskip("ray", reason="optional: pip install .[ray]")
    asked = job(**{"env-steps": 60, "seconds": 0.05})
    process = parent(asked, "ray")
    wait_for_child(asked)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "every run finishes its iteration and saves" in err
    assert not asked.recorded
    process = parent(asked, "ray")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert record_of(asked).curve["env_steps"].tolist() == list(range(1, 61))
    assert [line.split()[0] for line in starts(asked)] == ["--env-steps", "--resume"]


TINY = {
    "discriminator": {"steps": 2, "batch": 8},
    "dynamics": {"steps": 2, "batch": 4, "burn_in": 1, "length": 2},
    "learn": {"steps": 2, "batch": 4, "length": 2},
    "plan": {"steps": 2, "batch": 4, "length": 2},
    "rollout": {"steps": 40},
}


@pytest.mark.slow
def test_a_real_run_is_interrupted_and_resumed(tmp_path):
    flags = [f"--{group}.{name}={value}" for group, values in TINY.items() for name, value in values.items()]
    words = (
        "--env",
        "cartpole",
        "--env-steps",
        "2000",
        "--updates-per-iteration=1",
        "--evaluation-episodes=1",
        *flags,
        "--seed",
        "0",
    )
    real = Job(Run("tiny", "task-seed0", words), tmp_path / "runs", tmp_path / "results")
    process = parent(real)
    wait_for_child(real, evaluations=1, seconds=300)  # it compiles for 20 s, far longer on a busy machine
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert "every run finishes its iteration and saves" in err
    assert not real.recorded
    (checkpoint,) = real.directory.glob("*/checkpoint.h5")
    before = list(csv.DictReader((checkpoint.parent / "progress.csv").open()))
    process = parent(real)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert begins_with(list(csv.DictReader((checkpoint.parent / "progress.csv").open())), before)
    record = record_of(real)
    assert record.algorithm == "dyna" and record.seed == 0 and record.expert_return == 1000
    assert record.final["env_steps"] >= 2000
    assert record.config["plan"]["steps"] == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--suite", "lerning"], "unknown suite 'lerning'; did you mean learning"),
        (["--figure", "4d"], "unknown figure '4d'; did you mean 4c"),
        (
            [],
            "expected --figure (4a, 4b, 4c, 5a, 5b, 6) or "
            "--suite (tasks, few, states, learning, scarce, demonstrations, reset, paper, planning, natural, switch, "
            "capacity, trpo, untuned, all), found neither",
        ),
        (["--figure", "6", "--suite", "paper"], "found both"),
        (["--figure", "6", "--seeds", "0"], "--seeds: expected at least 1, found 0"),
        (["--figure", "6", "--jobs", "0"], "--jobs: expected at least 1, found 0"),
        (["--figure", "6", "--job", "2"], "--jobs"),
    ],
)
def test_mistakes_are_one_line(words, line, capsys):
    assert main(["sweep", *words]) == 2
    err = capsys.readouterr().err
    assert line in err and err.count("\n") == 1


def test_a_wrong_name_is_refused_at_once():
    began = time.monotonic()
    subprocess.run([sys.executable, "run.py", "sweep", "--suite", "papr"], cwd=ROOT, capture_output=True, check=False)
    assert time.monotonic() - began < 3.0, "something large is imported first (0.1 s on an idle machine)"


def test_the_switch_is_all_that_the_kinds_of_its_suite_differ_in():
    fixed, control, adaptive = (SUITES["switch"][first::3] for first in range(3))
    assert [kind.task for kind in fixed] == ["hopper", "halfcheetah", "walker2d"]
    for own, short, other in zip(fixed, control, adaptive, strict=True):
        assert short.arguments == (*own.arguments, "--rollout.steps", "100")
        assert other.arguments == (*own.arguments, "--switch", "adaptive")


def test_every_suite_has_a_name_of_its_own_for_every_run():
    for kinds in (*SUITES.values(), *FIGURES.values()):
        runs = runs_of(kinds, 3)
        assert len({(run.suite, run.name) for run in runs}) == len(runs) == 3 * len(kinds)
        assert runs[0].arguments[-2:] == ("--seed", "0"), "seed by seed"
    together = [run for kinds in (*SUITES.values(), *FIGURES.values()) for run in runs_of(kinds, 1)]
    by_name = {}
    for run in together:
        assert by_name.setdefault((run.suite, run.name), run) == run, "two runs share a record"
    # Parsing takes a fifth of a second: one run for each set of flags, and one for each environment.
    flags = {tuple(word for word in run.arguments if word.startswith("--")): run for run in by_name.values()}
    tasks = {run.arguments[1]: run for run in by_name.values()}
    for run in {*flags.values(), *tasks.values()}:
        assert resolved(run.arguments).settings.seed == 0, "run.py accepts them"


@pytest.mark.parametrize("name", [*SUITES, *FIGURES])
def test_records_were_made_by_todays_arguments(name):
    for kind in SUITES.get(name) or FIGURES[name]:
        for record in read_kind(ROOT / "results", kind):
            assert record.arguments == kind.run(record.seed).arguments, record.name


@pytest.mark.parametrize("task", ["cartpole", "hopper", "halfcheetah"])
def test_plans_and_imagined_pairs_can_be_had_apart(task):
    kinds = {kind.name: resolved(kind.arguments).settings for kind in SUITES["planning"] if kind.task == task}
    dyna, plans, pairs = kinds["dyna"], kinds["dyna_plans_only"], kinds["dyna_pairs_only"]
    assert plans.plan == dyna.plan and plans.learn == dyna.learn
    assert (plans.discriminator.imagined_fraction, plans.discriminator.recent_fraction) == (0.0, 0.5)
    assert pairs.discriminator == dyna.discriminator and dyna.discriminator.imagined_fraction > 0
    assert pairs.plan.steps == 0 and pairs.learn.steps == dyna.learn.steps + dyna.plan.steps


@pytest.mark.parametrize("figure", ["4a", "4b", "4c"])
def test_the_control_takes_at_least_the_policy_steps_of_learning_and_planning(figure):
    (control,) = [kind for kind in FIGURES[figure] if kind.suite == "control"]
    env_id = environment_id(control.task)
    dyna, mgail = (imitation_preset("tuned", env_id, mode) for mode in ("dyna", "mgail"))
    assert (
        control.arguments[:6] == ("--env", control.task, "--mode", "mgail", "--preset", "tuned")
        and control.arguments[6] == "--updates-per-iteration"
    )
    assert control.arguments[8:] == ("--env-steps", str(dyna.env_steps)), "the same number of env steps"
    rate = int(control.arguments[7]) * mgail.learn.steps / mgail.rollout.steps
    dynas = dyna.updates_per_iteration * (dyna.learn.steps + dyna.plan.steps) / dyna.rollout.steps
    assert mgail.plan.steps == 0
    alike = mgail.rollout == dyna.rollout
    assert rate >= (1 if alike else 2) * dynas, "longer rollouts can take twice the configured env steps"


@pytest.mark.parametrize("figure", ["4a", "4b", "4c"])
def test_the_control_as_recorded_took_no_fewer_policy_steps_an_env_step(figure):
    def rate(kind):
        steps = env_steps = 0
        for record in read_kind(ROOT / "results", kind):
            config = record.config
            planned = config["plan"]["steps"] if record.algorithm == "dyna" else 0
            # The last evaluation may come sooner than the others, at the end of the run.
            iterations = config["evaluate_every"] * (len(record.curve["env_steps"]) - 1)
            steps += iterations * config["updates_per_iteration"] * (config["learn"]["steps"] + planned)
            env_steps += record.curve["env_steps"][-2]
        return steps / env_steps

    dyna, control = (next(kind for kind in FIGURES[figure] if kind.suite == suite) for suite in ("learning", "control"))
    assert rate(control) >= rate(dyna)


def test_the_command_records_and_prints_and_exits_with_1_after_failures(tmp_path, monkeypatch, capsys):
    from mgail_dyna.cli.commands import sweep as command
    from mgail_dyna.experiments.kinds import Kind

    kinds = (
        Kind("tiny", "task", "good", "Good", ("--env-steps", "10")),
        Kind("tiny", "task", "bad", "Bad", ("--env-steps", "3", "--fail", "2")),
    )
    monkeypatch.setitem(command.SUITES, "paper", kinds)
    monkeypatch.setattr(jobs_module, "Job", partial(Job, program=STAND_IN))
    where = ["--results", str(tmp_path / "a"), "--logdir", str(tmp_path / "b")]
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "--suite", "paper", "--seeds", "2", *where])
    assert stopped.value.code == 1
    out = capsys.readouterr().out
    assert "100.0 (100.0 to 100.0)" in out
    assert "failed twice: task-bad-seed0, task-bad-seed1" in out
    assert sorted(path.name for path in (tmp_path / "a" / "tiny").iterdir()) == [
        "task-good-seed0.json",
        "task-good-seed1.json",
    ]
    assert json.loads((tmp_path / "a" / "tiny" / "task-good-seed1.json").read_text())["final"]["expert_percent"] == 100


@pytest.mark.parametrize("flag", ["results", "logdir"])
def test_directories_that_cannot_be_written_are_refused_before_the_first_run(flag, tmp_path, monkeypatch, capsys):
    from mgail_dyna.cli.commands import sweep as command
    from mgail_dyna.experiments.kinds import Kind

    monkeypatch.setitem(command.SUITES, "paper", (Kind("tiny", "task", "good", "Good", ("--env-steps", "3")),))
    monkeypatch.setattr(jobs_module, "Job", partial(Job, program=STAND_IN))
    places = {name: tmp_path / name for name in ("results", "logdir")}
    words = ["sweep", "--suite", "paper", "--seeds", "1"]
    places[flag].mkdir()
    (places[flag] / "tiny").touch()
    where = [word for name, place in places.items() for word in (f"--{name}", str(place))]
    assert main([*words, *where]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {places[flag] / 'tiny'}: cannot be written: ") and err.count("\n") == 1
    assert not out and not list(tmp_path.glob("logdir/tiny/*"))
    for place in (places[flag] / "tiny", places[flag] / "tiny" / "below"):
        for more in ([], ["--dry-run"]):
            elsewhere = [str(place) if word == str(places[flag]) else word for word in where]
            assert main([*words, *elsewhere, *more]) == 2
            line = f"error: --{flag}: expected a directory, found the file {places[flag] / 'tiny'}\n"
            assert capsys.readouterr() == ("", line)
    (places[flag] / "tiny").unlink()
    assert main([*words, *where]) == 0
    assert [path.name for path in tmp_path.glob("results/tiny/*")] == ["task-good-seed0.json"]


def test_what_is_recorded_can_be_shown_where_nothing_can_be_written(tmp_path, monkeypatch, capsys, finished_run):
    from mgail_dyna.cli.commands import sweep as command

    kind = SUITES["untuned"][0]
    monkeypatch.setitem(command.SUITES, "untuned", (kind,))
    write_record(tmp_path / "results", kind.run(0), from_run(finished_run(0), kind.run(0)))
    where = ["--results", str(tmp_path / "results"), "--logdir", str(tmp_path / "runs")]
    assert main(["sweep", "--suite", "untuned", "--seeds", "1", *where]) == 0
    assert "Walker2d" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_a_suites_own_directory_is_not_that_of_records(results, capsys):
    deeper = results / "learning"
    wanted = "expected the directory above those of the suites, found one suite's"
    line = f"error: --results: {deeper}: {wanted}; give {results}\n"
    for words in (["sweep", "--suite", "learning"], ["sweep", "--suite", "learning", "--dry-run"], ["figures"]):
        assert main([*words, "--results", str(deeper)]) == 2
        assert capsys.readouterr() == ("", line)


def test_a_dry_run_says_what_is_to_do_and_does_nothing(tmp_path, capsys, finished_run):
    kind = SUITES["untuned"][0]
    write_record(tmp_path / "results", kind.run(0), from_run(finished_run(0), kind.run(0)))
    where = ["--results", str(tmp_path / "results"), "--logdir", str(tmp_path / "runs")]
    assert main(["sweep", "--suite", "untuned", "--seeds", "1", "--dry-run", *where]) == 0
    out = capsys.readouterr().out
    runs = len(SUITES["untuned"])
    assert f"{runs - 1} of {runs} runs to do: walker2d-bc-seed0" in out and "Walker2d" in out
    assert not (tmp_path / "runs").exists()


def test_records_that_their_command_would_not_make_today_are_named(tmp_path, monkeypatch, capsys, finished_run):
    from mgail_dyna.cli.commands import sweep as command
    from mgail_dyna.experiments.kinds import Kind

    today = ("--env", "cartpole", "--preset", "tuned")
    kinds = (
        Kind("tiny", "cartpole", "dyna", "as today", today),
        *(
            Kind("tiny", "cartpole", name, "not so", (*today, "--updates-per-iteration", "3", "--env-steps", "2000"))
            for name in ("fewer", "again")
        ),
    )
    for kind in kinds:
        write_record(tmp_path / "results", kind.run(0), from_run(finished_run(0), kind.run(0)))
    monkeypatch.setitem(command.SUITES, "paper", kinds)
    main(
        ["sweep", "--suite", "paper", "--seeds", "1", "--results", str(tmp_path / "results"), "--logdir", str(tmp_path)]
    )
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "made with other settings" in line]
    assert "updates_per_iteration 10 (now 3): tiny/cartpole-fewer-seed*, tiny/cartpole-again-seed*; they" in line
