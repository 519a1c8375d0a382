"""What stands on the terminal while a run trains: rows, the bar, the time left, Ctrl-C; and TensorBoard."""

import dataclasses
import hashlib
import io
import json
import os
import shlex
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ROOT, random_policy, small_config
from rich.console import Console

from mgail_dyna import runtime
from mgail_dyna.cli import scalars
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.expert_training import _write_demonstrations
from mgail_dyna.cli.pace import Pace, duration
from mgail_dyna.cli.progress import Column, Interrupts, ProgressDisplay, import_tensorflow
from mgail_dyna.cli.report import FROM_SCRATCH, PASSED, EvaluationRows, about_clone
from mgail_dyna.cli.session import FIRST_ROW, FIRST_ROW_OF_CLONING, Session
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.runs.directory import RunSettings, load_run
from mgail_dyna.runs.run import ImitationRun

NAN = float("nan")


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def row(iteration, percent, seconds=1.0):
    return {
        "iteration": iteration,
        "return_mean": 10 * percent,
        "expert_percent": percent,
        "wall_seconds": seconds,
    }


def screen(width=80, terminal=False):
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)


def shown(console):
    return console.file.getvalue().splitlines()


def bar(display, width):
    console = screen(width, terminal=True)
    console.print(display)
    return shown(console)


def test_durations_read_as_people_say_them():
    said = [duration(seconds) for seconds in (0.4, 59.4, 59.6, 70, 600, 3_599, 3_600, 7_500)]
    assert said == ["0 s", "59 s", "1 min", "1 min 10 s", "10 min", "59 min", "1 h 0 min", "2 h 5 min"]


def test_the_time_left_is_true_once_the_first_iterations_are_over():
    """40 s of compiling, then 8 s an iteration: 45 iterations of 266 env steps."""
    clock = Clock()
    pace = Pace(total=45 * 266, clock=clock)
    assert pace.left() is None and pace.of_this_iteration() is None
    for iteration in range(1, 45):
        clock.now += 40.0 if iteration == 1 else 8.0
        pace.finish(iteration, 266 * iteration)
        if iteration > 1:
            assert pace.left() == pytest.approx(8.0 * (45 - iteration)), "what was compiled is not compiled again"
        else:
            assert pace.left() is None
    clock.now += 3.0
    assert pace.left() == pytest.approx(5.0), "it counts down between two iterations"
    assert pace.of_this_iteration() == pytest.approx(5.0)
    clock.now += 60.0
    assert (pace.left(), pace.of_this_iteration()) == (1.0, 0.0)


def test_an_iteration_that_takes_longer_does_not_shorten_the_others():
    clock = Clock()
    pace = Pace(total=500, clock=clock)
    for iteration in (1, 2):
        clock.now += 8.0
        pace.finish(iteration, 100 * iteration)
    clock.now += 60.0
    assert pace.left() == pytest.approx(16.0), "two more"


def test_neither_the_clone_nor_the_iteration_that_compiles_counts():
    clock = Clock()
    pace = Pace(total=1_000, compiling=2, clock=clock)
    for iteration, seconds in enumerate((30.0, 200.0, 10.0, 10.0), 1):
        clock.now += seconds
        pace.finish(iteration, 100 * (iteration - 1))
        assert (pace.seconds, pace.at_most) == ({1: None, 2: 200.0}.get(iteration, 10.0), iteration <= 2)
    assert pace.left() == pytest.approx(70.0)


def test_where_iterations_become_shorter_the_newest_counts_and_is_an_upper_bound():
    clock = Clock()
    pace = Pace(total=12_000, compiling=2, clock=clock)
    lasted = {1: 28.0, 2: 79.0, 3: 34.0, 4: 20.0, 5: 12.0, 6: 8.0, 7: 8.5}
    for iteration, seconds in lasted.items():
        clock.now += seconds
        pace.finish(iteration, 500 * (iteration - 1))
        assert pace.shortening == (iteration > 3), "less and less is learned"
    assert pace.left() == pytest.approx(8.5 * 18)
    clock.now += 30.0  # as one with an evaluation, now and then
    pace.finish(8, 3_500)
    assert not pace.shortening and pace.seconds > 8.5


def test_a_row_shows_the_time_left_in_round_numbers():
    clock = Clock()
    pace = Pace(total=1_000, compiling=2, clock=clock)
    shown = []
    for iteration, done in enumerate((100, 200, 300, 600, 900, 1_000), 1):
        clock.now += 30.0
        pace.finish(iteration, done)
        shown.append(pace.shown_left())
    assert shown == ["", "< 4 min", "3 min 30 s", "< 1 min", "< 30 s", ""], "iterations become shorter"


def test_a_row_says_where_the_time_left_is_an_upper_bound():
    clock = Clock()
    pace = Pace(total=1_200, compiling=2, clock=clock)
    for iteration, seconds in enumerate((10.0, 35.0), 1):
        clock.now += seconds
        pace.finish(iteration, 100 * iteration)
    assert pace.at_most and pace.left() == pytest.approx(350.0)
    assert pace.shown_left() == "< 6 min", "in whole minutes, to fit its column"


def test_the_time_left_follows_iterations_that_become_longer_and_ends_with_the_limit():
    clock = Clock()
    pace = Pace(total=100_000, last=200, clock=clock)
    for iteration in range(1, 101):
        clock.now += 1.0 if iteration <= 50 else 3.0
        pace.finish(iteration, 100 * iteration)
    assert pace.left() == pytest.approx(300.0), (
        "100 iterations of 3 s, although the env steps would take 900 iterations"
    )


def test_the_last_iteration_takes_as_long_as_any_however_few_steps_are_left_for_it():
    clock = Clock()
    pace = Pace(total=2_050, clock=clock)
    for iteration in range(1, 5):
        clock.now += 40.0
        pace.finish(iteration, 500 * iteration)
    assert pace.left() == pytest.approx(40.0)


def test_the_time_left_is_unknown_while_iterations_take_no_step():
    clock = Clock()
    pace = Pace(total=1_000, clock=clock)
    for iteration in (1, 2, 3):
        clock.now += 10.0
        pace.finish(iteration, 0)
    assert pace.left() is None and pace.shown_left() == ""


def test_a_resumed_run_counts_its_own_steps_only():
    clock = Clock()
    pace = Pace(total=1_000, done=500, iteration=5, clock=clock)
    for iteration, done in ((6, 600), (7, 700)):
        clock.now += 10.0
        pace.finish(iteration, done)
    assert pace.left() == pytest.approx(30.0)


def test_rows_stay_and_are_the_same_on_a_terminal_and_in_a_file():
    rows = EvaluationRows("env steps", evaluated=True, compared=True)
    lines = []
    for terminal in (False, True):
        console = screen(terminal=terminal)
        display = ProgressDisplay("cartpole", Pace(2_000), "env steps", rows.columns, console)
        display.live = None  # what it draws is tested by itself
        display.row(rows.cells(row(1, 12.8, 41.0), 413, None, "5 min"))
        display.row(rows.cells(row(3, 90.0, 95.0), 1_239, row(1, 12.8)))
        lines.append(shown(console))
    assert lines[0] == lines[1]
    head, first, second = lines[0]
    assert head.split("  ") != first.split("  ") and len(head) == len(first) == len(second) <= 80
    assert " ".join(head.split()) == "iteration env steps return % of expert change, % time time left"
    assert first.split() == ["1", "413", "128.0", "12.8", "41", "s", "5", "min"]
    assert second.split() == ["3", "1,239", "900.0", "90.0", "+77.2", "1", "min", "35", "s"]


def test_without_an_expert_the_change_is_that_of_the_return():
    rows = EvaluationRows("env steps", evaluated=True, compared=False)
    names = [column.name for column in rows.columns]
    assert names == ["iteration", "env steps", "return", "change", "time", "time left"]
    cells = rows.cells({**row(2, NAN), "return_mean": -3.0}, 10, {**row(1, NAN), "return_mean": -5.0})
    assert cells == ["2", "10", "-3.0", "+2.0", "1 s", ""]
    never = EvaluationRows("env steps", evaluated=False, compared=True, timed=False)
    assert never.cells({**row(2, NAN), "return_mean": NAN}, 10, None) == ["2", "10", "1 s"]


def test_what_is_below_the_bar_is_whole_when_a_row_is_printed():
    console = screen(terminal=True)
    display = ProgressDisplay("x", Pace(10), "env steps", [Column("iteration")], console)
    display.phrases = ["discriminator right on 77% of agent, 92% of expert " * 3 + "and the last words"]
    with display:
        display._over.set()  # no drawing but the row's own
        display._refreshing.join()
        console.file.truncate(console.file.seek(0))
        display.row(["1"])
        assert "last words" in console.file.getvalue()


def test_a_row_waits_until_the_bar_is_drawn(monkeypatch):
    display = ProgressDisplay("x", Pace(10), "env steps", [Column("iteration")], screen(terminal=True))
    drawing, order = threading.Event(), []

    def refresh():
        drawing.set()
        time.sleep(0.3)
        order.append("bar")

    monkeypatch.setattr(display.live, "refresh", refresh)
    with display:
        assert drawing.wait(5.0)
        display.row(["1"])
        order.append("row")
    assert order.index("row") > 0, "both at once leave a line of the old bar"


def test_what_a_trial_says_of_a_clone():
    assert PASSED.format(0.04, 0.15).startswith(
        "4% of the clone's first steps in the environment were away from the demonstrated states, or missing as an "
        "episode had ended early; at most 15% are allowed: the clone is kept"
    )
    thrown = FROM_SCRATCH.format(0.45, 0.15)
    assert thrown.startswith("45% of") and "at most 15% are allowed: the clone is thrown away" in thrown


def test_what_a_row_of_a_clone_says_of_the_next_ones():
    assert about_clone(row(1, 65.0), frozen=False, episodes=10) == ["row 1 is the clone"]
    (same,) = about_clone(row(1, 65.0), frozen=True, episodes=10)
    assert same.startswith("row 1 is the clone, and row 2 will be the same") and "good" not in same
    assert about_clone(row(1, 95.0), frozen=True, episodes=10)[1].startswith("the clone is good")
    assert len(about_clone(row(1, NAN), frozen=True, episodes=10)) == 1
    assert about_clone(row(1, 95.0), frozen=False, episodes=10) == ["row 1 is the clone"], "it may be thrown away"
    (trusted,) = about_clone(row(1, 65.0), frozen=True, episodes=10, trusted=True)
    assert "learns only once episodes end early" in trusted and "good" not in trusted
    assert (
        "one failed episode lowers an evaluation by 10 points. Ctrl-C ends the run after"
        in about_clone(row(1, 95.0), frozen=True, episodes=10, trusted=True)[1]
    )


def test_the_heading_comes_again():
    console = screen()
    display = ProgressDisplay("x", Pace(10), "env steps", [Column("iteration")], console)
    for number in range(30):
        display.row([str(number)])
    assert shown(console).count("iteration") == 2


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_bar_fits_the_terminal(width):
    clock = Clock()
    pace = Pace(2_000_000, last=1_000, clock=clock)
    display = ProgressDisplay("x", pace, "env steps", [])
    first = bar(display, width)
    assert len(first) == 1 and len(first[0].rstrip()) <= width
    for iteration in (1, 2):
        clock.now += 8.0
        display.update(
            iteration, 2_048 * iteration, ["discriminator right on 90% of agent, 80% of expert", "a phrase " * 20]
        )
    line, *phrases = bar(display, width)
    assert all(len(each.rstrip()) <= width - len("^C") for each in (line, *phrases)), "which would break the line"
    assert " ".join(" ".join(phrases).split()) == " ".join("  ·  ".join(display.phrases).split()), "words stay whole"
    if width >= 80:
        assert line.startswith("4,096/2,000,000 env steps ") and line.rstrip().endswith("left")
    if width >= 120:
        assert "iteration 2 of 1000  8.0 s each" in line


def test_what_a_run_waits_for_is_said():
    console = screen()
    ProgressDisplay("x", Pace(10), "env steps", [], console).wait("compiling")
    assert shown(console) == ["x: compiling"], "in a file it is a line"
    on_terminal = ProgressDisplay("x", Pace(10), "env steps", [], screen(terminal=True))
    on_terminal.wait("compiling")
    assert bar(on_terminal, 80)[1].strip() == "compiling"


def test_ctrl_c_says_how_long_it_takes_and_what_a_second_one_does(capsys):
    with Interrupts(lambda: 7.6) as interrupts:
        assert not interrupts.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupts.asked
        said = "finishing this iteration (about 8 s); press Ctrl-C again to stop now and lose it\n"
        assert capsys.readouterr().err == said
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interrupts():
        signal.raise_signal(signal.SIGINT)
    assert capsys.readouterr().err.startswith("finishing this iteration; press Ctrl-C again"), "not known yet"


def test_ctrl_c_is_answered_while_a_library_computes_and_twice_is_twice(capsys):
    said = []

    def press():
        for _ in range(2):
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        said.append(capsys.readouterr().err)

    pressing, began = threading.Thread(target=press), time.monotonic()
    pressing.start()
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 6_000_000)  # no handler is called meanwhile
    assert time.monotonic() - began > 0.7 and interrupts.again, "or the test shows nothing"
    pressing.join()
    assert [line.startswith("finishing this iteration") for line in said] == [True]


def test_scalars_are_grouped_and_named_like_the_run(tmp_path):
    writer = scalars.Scalars(tmp_path)
    history = {
        **{"iteration": 1, "env_steps": 5, "real_trajectories": 1, "return_mean": 3.0, "return_std": NAN},
        **{"expert_percent": 1.0, "evaluation_steps": 2, "cpu_seconds": 1.0, "wall_seconds": 1.0, "plan/cost": 0.5},
    }
    assert {scalars.GROUPED.get(name, name).partition("/")[0] for name in history} == {
        *("evaluation", "rollout", "time", "plan"),
    }
    assert set(scalars.GROUPED) <= set(history), "each of them exists"
    writer.write(history)
    writer.flush()
    (file,) = tmp_path.glob("events.out.tfevents.*")
    content = file.read_bytes()
    assert b"evaluation/return_mean" in content and b"plan/cost" in content
    assert b"return_std" not in content, "NaN is not drawn"


def without_tensorboard(monkeypatch, error):
    """Importing TensorBoard raises `error`."""
    import_module = scalars.importlib.import_module

    def importing(name, *package):
        if name.startswith("tensorboard"):
            raise error
        return import_module(name, *package)

    monkeypatch.setattr(scalars.importlib, "import_module", importing)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module", name="tensorboard"), "TensorBoard is not installed, so"),
        (ModuleNotFoundError("No module named 'pkg_resources'", name="pkg_resources"), "cannot be imported (No module"),
        (TypeError("Descriptors cannot be created"), "TensorBoard cannot be imported (Descriptors"),
    ],
)
def test_without_tensorboard_a_run_goes_on_with_one_note(error, said, tmp_path, monkeypatch):
    without_tensorboard(monkeypatch, error)
    writer = scalars.Scalars(tmp_path)
    assert said in writer.missing and "progress.csv has all numbers" in writer.missing
    writer.write(row(1, 2.0))
    writer.flush()
    assert not list(tmp_path.iterdir())


def test_the_time_to_the_first_row_is_that_of_the_records():
    seconds = {True: [], False: []}
    for file in (ROOT / "results").glob("*/*.json"):
        record = json.loads(file.read_text())
        seconds[record["algorithm"] == "bc"].append(record["curve"]["wall_seconds"][0])
    for cloning, (least, most) in ((False, FIRST_ROW), (True, FIRST_ROW_OF_CLONING)):
        found = seconds[cloning]
        assert np.mean([least <= round(each) <= most for each in found]) >= 0.75
        assert len(found) > 50


def test_ctrl_c_in_the_last_iteration_says_that_the_final_episodes_are_left(cartpole_demos, tmp_path, monkeypatch):
    run = ImitationRun(small_config("bc", final_episodes=5), cartpole_demos, "bc")
    session = Session(run, tmp_path, RunSettings("bc", "tuned", "cartpole", None, run.config), None)
    show = session._show

    def interrupted(display, row):
        show(display, row)
        if run.agent.progress >= 1.0:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(session, "_show", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"(?s)resume with.*--episodes 100"):
        session.train()
    assert run.final is None and run.final_due
    again = ImitationRun(run.config, cartpole_demos, "bc")
    again.restore(load_run(tmp_path))
    Session(again, tmp_path, session.settings, None).train()
    assert again.final is not None, "the command that was named plays them"


def test_a_run_says_where_its_files_are_and_how_long_the_first_row_takes(cartpole_demos, tmp_path, capsys, monkeypatch):
    without_tensorboard(monkeypatch, ModuleNotFoundError("No module", name="tensorboard"))
    run = ImitationRun(small_config("bc"), cartpole_demos, "bc")
    session = Session(run, tmp_path, RunSettings("bc", "tuned", "cartpole", 3, run.config), 3)
    session._announce(ProgressDisplay("x", Pace(10), "gradient steps", []))
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"note: {scalars.MISSING.format('is not installed')}",
        f"x: 1,733 gradient steps, at most 3 iterations; files in {tmp_path}",
        "x: cloning the demonstrations; the first row usually takes 1 to 6 s, longer on a busy machine",
    ]


@pytest.mark.parametrize(("env_steps", "episode", "frozen"), [(50, 25, 50), (60, 25, None), (60, 40, 80)])
def test_a_run_too_short_for_its_clone_to_learn_says_so(env_steps, episode, frozen, cartpole_demos, tmp_path, capsys):
    config = small_config("dyna")
    rollout = dataclasses.replace(config.rollout, steps=50, reset_length=episode)
    config = dataclasses.replace(config, warm_start="bc", rollout=rollout, env_steps=env_steps, demonstrations=1)
    run = ImitationRun(config, subset(cartpole_demos, 1, 1), "dyna")
    session = Session(run, tmp_path, RunSettings("dyna", "tuned", "cartpole", 3, config), None)
    session._announce(ProgressDisplay("x", Pace(10), "env steps", []))
    said = capsys.readouterr().err
    note = (
        f"note: the run has {env_steps} env steps, and a clone learns only after {frozen}; give more with --env-steps"
    )
    assert (note in said.splitlines()) == (frozen is not None)
    assert ("a clone learns only after" in said) == (frozen is not None)
    assert f"x: {env_steps} env steps, 1 demonstration; files in {tmp_path}" in said


@pytest.mark.parametrize("terminal", [True, False])
def test_the_import_of_tensorflow_is_seen_on_a_terminal_alone(terminal, monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr(runtime, "import_tensorflow", lambda _: shown.write("|"))
    import_tensorflow()
    before, _, after = shown.getvalue().partition("|")
    assert before == ("importing TensorFlow ...\r" if terminal else "")
    assert after.strip() == "" and after.endswith("\r" if terminal else ""), "it is wiped off"


def test_an_expert_ends_with_the_commands_that_use_it(tmp_path, capsys):
    trainer = SimpleNamespace(
        config=ExpertConfig(env="CartPole-v1", length=20, trajectories=1),
        choose=lambda: (random_policy("CartPole-v1"), {}),
        collector=SimpleNamespace(env_steps=5),
        evaluation_steps=6,
        env_kwargs={},
    )
    out = tmp_path / "my expert"
    _write_demonstrations(trainer, out, 1.0)
    *_, first, second = capsys.readouterr().out.splitlines()
    assert shlex.split(first) == ["python", "run.py", "evaluate", str(out)]
    assert shlex.split(second) == ["python", "run.py", "--env", "CartPole-v1", "--expert", str(out)]
    assert resolved(shlex.split(second)[2:]).expert == str(out)
