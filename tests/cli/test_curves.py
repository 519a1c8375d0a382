"""Which runs `plot` shows, and what the curves of several runs look like together."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mgail_dyna.cli.curves import curves_to_draw, is_finished
from mgail_dyna.experiments.figures import curve_of, learning_curves
from mgail_dyna.experiments.figures.style import METHODS
from mgail_dyna.experiments.records import COLUMNS
from mgail_dyna.runs.directory import read_progress, read_settings, write_curve
from mgail_dyna.runs.final import FinalEpisodes, write_final


def written(directory, seconds):
    """The run in `directory`, whose curve was last written at that time."""
    os.utime(directory / "progress.csv", (seconds, seconds))
    return directory


def cut(directory, rows, out):
    """A copy of a run that was interrupted after so many rows."""
    shutil.copytree(directory, out)
    lines = (out / "progress.csv").read_text().splitlines(keepends=True)
    (out / "progress.csv").write_text("".join(lines[: 1 + rows]))
    return out


@pytest.fixture
def drawn(monkeypatch, cli):
    """Calls `plot`; what it printed and the figure that it drew."""
    from mgail_dyna.experiments import figures

    kept = []
    monkeypatch.setattr(
        figures, "learning_curves", lambda *args: kept.append(learning_curves(*args)) or kept[-1], raising=True
    )

    def call(*words):
        done = cli("plot", *words)
        return done, kept.pop().axes[0] if kept else None

    return call


def thick(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_a_seed_counts_once_and_the_later_run_is_the_one(finished_run, tmp_path, drawn):
    early, late = written(finished_run(0, 50.0), 1_000), written(finished_run(0, 100.0), 2_000)
    other = written(finished_run(1, 100.0), 500)
    for number, order in enumerate(([early, late, other], [other, late, early])):
        done, axes = drawn(*order, "--out", tmp_path / f"curve-{number}.png")
        assert f"note: {early} is left out: {late} repeats it with the same seed, later" in done.stderr
        assert done.stderr.count("\n") == 1
        (line,) = thick(axes).values()
        assert line.get_label() == "cartpole dyna, mean of 2 runs"
        assert line.get_ydata()[-1] == pytest.approx(100)


def test_the_same_directory_twice_is_one_run_without_a_note(finished_run, tmp_path, drawn):
    run = finished_run(0)
    done, axes = drawn(run, run / "config.json", "--out", tmp_path / "curve.png")
    assert not done.stderr and list(thick(axes)) == ["cartpole dyna, 1 run"]


def test_unfinished_runs_are_passed_over_with_a_note(finished_run, tmp_path, drawn):
    whole = finished_run(0)
    part = cut(finished_run(1), 4, tmp_path / "part")
    done, axes = drawn(whole, part, "--out", tmp_path / "curve.png")
    assert done.stderr == f"note: {part} is not finished and is left out; --unfinished draws it\n"
    assert list(thick(axes)) == ["cartpole dyna, 1 run"]
    done, axes = drawn(whole, part, "--out", tmp_path / "all.png", "--unfinished")
    assert done.stderr == f"note: {part} is not finished and is drawn as far as it is\n"
    (mean,) = thick(axes).values()
    assert mean.get_xdata()[-1] == 1_007, "the mean ends where the shorter run ends"
    assert max(line.get_xdata()[-1] for line in axes.get_lines()) == 3_000, "the longer one is drawn to its end"


def test_a_run_under_way_can_be_looked_at_alone(finished_run, tmp_path, drawn):
    part = cut(finished_run(0), 4, tmp_path / "part")
    done, axes = drawn(part, "--out", tmp_path / "curve.png")
    assert done.returncode == 0 and "is drawn as far as it is" in done.stderr
    assert list(thick(axes)) == ["cartpole dyna, 1 run"]


def test_a_run_without_evaluations_is_passed_over_and_alone_it_is_an_error(finished_run, tmp_path, cli):
    young = cut(finished_run(1), 0, tmp_path / "young")
    (young / "progress.csv").unlink()
    done = cli("plot", finished_run(0), young, "--out", tmp_path / "curve.png")
    assert done.returncode == 0 and f"{young} is left out: it has not been evaluated yet" in done.stderr
    done = cli("plot", young)
    assert done.returncode == 2 and "expected at least one evaluation, found none yet" in done.stderr


def test_cloning_is_finished_after_its_gradient_steps(finished_run):
    directory = finished_run(0, mode="bc")
    settings = read_settings(directory)
    for done in (False, True):
        left = np.arange(5, -1, -1)[: 6 if done else 5]
        write_curve(directory, [dict.fromkeys(COLUMNS, 0.0) | {"cloning/left": int(steps)} for steps in left])
        assert is_finished(directory, settings) == done


def test_runs_that_end_by_iterations_are_finished(finished_run):
    directory = cut(finished_run(0), 4, finished_run(0).parent / "part")
    about = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(about | {"iterations": 4}))
    (run,), notes = curves_to_draw([directory], unfinished=False)
    assert run.finished and not notes


def test_what_holds_no_run_is_left_out_of_others(finished_run, tmp_path, drawn, cli):
    run, picture = finished_run(0), tmp_path / "old.png"
    picture.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    done, axes = drawn(tmp_path / "empty", run, picture, "--out", tmp_path / "curve.png")
    said = [f"note: {place} is left out: it holds no run" for place in (tmp_path / "empty", picture)]
    assert done.stderr.splitlines() == said and len(thick(axes)) == 1
    done = cli("plot", tmp_path / "empty", picture, "--out", tmp_path / "curve.png")
    assert done.returncode == 2 and "config.json: no such file" in done.stderr and done.stderr.count("\n") == 1
    done = cli("plot", run, tmp_path / "typo", "--out", tmp_path / "curve.png")
    assert done.returncode == 2 and "typo" in done.stderr, "a name that is mistyped is a mistake"


def test_a_directory_of_runs_stands_for_the_runs_in_it(finished_run, tmp_path, drawn):
    runs = [finished_run(seed) for seed in range(2)]
    done, axes = drawn(runs[0].parent, "--out", tmp_path / "curve.png")
    assert done.returncode == 0
    (line,) = thick(axes)
    assert "mean of 2 runs" in line


def test_several_algorithms_are_told_apart_by_their_own_colours(finished_run, tmp_path, drawn):
    runs = [finished_run(seed, mode=mode) for mode in ("mgail", "dyna") for seed in (0, 1)]
    done, axes = drawn(*runs, "--out", tmp_path / "curve.png")
    assert not done.stderr
    colours = {label: line.get_color() for label, line in thick(axes).items()}
    assert colours == {
        "cartpole mgail, mean of 2 runs": METHODS["mgail"].colour,
        "cartpole dyna, mean of 2 runs": METHODS["dyna"].colour,
    }


def test_smoothing_averages_evaluations_and_says_so(finished_run, tmp_path, drawn):
    run, out = finished_run(0), tmp_path / "curve.png"
    plain, smooth = (next(iter(thick(drawn(run, "--out", out, "--smooth", how)[1]).values())) for how in ("none", "3"))
    expected = plain.get_ydata()
    np.testing.assert_allclose(smooth.get_ydata()[2:], (expected[2:] + expected[1:-1] + expected[:-2]) / 3)
    np.testing.assert_allclose(smooth.get_ydata()[:2], [expected[0], expected[:2].mean()])
    (legend,) = drawn(run, "--out", out, "--smooth", "3")[1].figure.legends
    assert "Each point is the mean of 3 evaluations" in legend.get_title().get_text()


@pytest.mark.parametrize("smooth", ["0", "-1", "much", "1.5"])
def test_smoothing_by_anything_else_gives_one_line(finished_run, cli, smooth):
    done = cli("plot", finished_run(0), f"--smooth={smooth}")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"--smooth: expected none or a whole number of evaluations from 1 on, found {smooth}" in done.stderr


def curve(steps, returns, percent=None):
    rows = [
        {"env_steps": n, "real_trajectories": n, "return_mean": value, "expert_percent": share}
        for n, value, share in zip(steps, returns, percent or [np.nan] * len(steps), strict=True)
    ]
    return curve_of(rows)


@pytest.mark.parametrize(
    ("returns", "begins"),
    [([20.0, 80.0], 0.0), ([-5.0, 90.0], -10.0), ([-35.0, 90.0], -40.0), ([-1_200.0, -400.0], -1_200.0)],
)
def test_the_axis_begins_at_zero_or_at_a_labelled_number_below_the_lowest(returns, begins):
    axes = learning_curves({"dyna": [curve([10, 20], returns)]}).axes[0]
    low, high = axes.get_ylim()
    assert low == begins and low in axes.get_yticks()
    assert low <= min(returns) and max(returns) <= high


@pytest.mark.parametrize(("value", "ends"), [(100.0, (0.0, 106.0)), (0.0, (0.0, 1.06)), (-40.0, (-40.0, 2.4))])
def test_a_level_curve_fills_the_axis(value, ends):
    axes = learning_curves({"dyna": [curve([10, 20], [value, value])]}).axes[0]
    assert axes.get_ylim() == pytest.approx(ends)


def test_the_legend_is_outside_the_curves():
    figure = learning_curves({"dyna": [curve([10, 20], [1, 2]), curve([12, 25], [2, 3])], "bc": [curve([0], [2])]})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    (legend,) = figure.legends
    assert not legend.get_window_extent(renderer).overlaps(figure.axes[0].get_window_extent(renderer))


def test_without_common_env_steps_there_is_no_mean():
    axes = learning_curves({"dyna": [curve([10, 20], [1, 2]), curve([30, 40], [2, 3])]}).axes[0]
    (label,) = thick(axes)
    assert label == "dyna, 2 runs; no mean, as one ends before another is evaluated"


def test_the_final_episodes_stand_at_the_end_of_a_curve(finished_run, tmp_path, drawn):
    run = finished_run(0)
    write_final(run, FinalEpisodes(np.arange(2), np.full(2, 5), np.array([400.0, 600.0])))
    _, axes = drawn(run, "--out", tmp_path / "curve.png")
    ends = np.concatenate([np.asarray(each.get_offsets()) for each in axes.collections])
    last = read_progress(run, COLUMNS)["env_steps"][-1]
    assert any(np.array_equal(end, [last, 50.0]) for end in ends), "500 of the expert's 1,000"
    again, _ = drawn(run, "--out", tmp_path / "curve.png")
    assert again.stderr == f"note: {tmp_path / 'curve.png'} is replaced\n"


def test_a_level_is_that_of_the_final_episodes_where_there_are_some():
    row = {"env_steps": 0.0, "real_trajectories": 0.0, "return_mean": 98.0, "expert_percent": 98.0}
    cloned = curve_of([row])
    for curve, level in ((cloned, "98%"), (replace(cloned, final=86.0, final_percent=86.0), "86%")):
        (label,) = (label for label in thick(learning_curves({"bc": [curve]}).axes[0]) if label.startswith("bc"))
        assert label.endswith(f"no env steps: {level}")
