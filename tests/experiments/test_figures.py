"""Figures: what is in them, what is written, and what is said where nothing is recorded."""

import numpy as np
import pytest

from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.video import film_episode, gif
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.figures import PICTURES, comparison, curve_of, draw, learning_curves, recorded, show, write
from mgail_dyna.experiments.records import from_run, read_kind, write_record
from mgail_dyna.experiments.statistics import estimate
from mgail_dyna.experiments.suites import FIGURES, SUITES
from mgail_dyna.runtime import import_tensorflow


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_a_comparison_shows_means_bands_levels_and_what_is_missing(results):
    figure = draw("figure4a", results)
    (axes,) = figure.axes
    found = lines(axes)
    assert list(found) == [
        "Dyna-AIL (seeds 0-2)",
        "MGAIL (seeds 0-2)",
        "behavioural cloning, no interaction (seeds 0-2)",
    ]
    x, y = found["MGAIL (seeds 0-2)"].get_data()
    last = max(record.curve["real_trajectories"][-1] for record in read_kind(results, FIGURES["4a"][1]))
    assert x[0] == 6 and x[-1] == last, "from where all have been evaluated to where the last ends"
    assert y[-1] == pytest.approx(60)
    assert len({(line.get_linestyle(), line.get_marker()) for line in found.values()}) == 3, "the same in grey"
    assert set(found["behavioural cloning, no interaction (seeds 0-2)"].get_ydata()) == {90.0}
    assert axes.get_xlabel() == "real trajectories of training"
    assert all(tick == round(tick) for tick in axes.get_xticks()), "there are no halves of trajectories"
    (above,) = axes.child_axes
    assert above.get_xlabel() == "environment steps of training (49 a trajectory)"
    (band, *_) = axes.collections
    assert estimate([[0.0, 1.0]]).low < estimate([[0.0, 1.0]]).high
    assert np.isfinite(band.get_paths()[0].vertices).all()


def test_a_figure_says_what_is_not_recorded_yet(results, refused):
    note = draw("figure4a", results).legends[0].get_title().get_text()
    assert "Not recorded yet: MGAIL, no fewer gradient steps." in " ".join(note.split())
    for record in results.glob("*/*-mgail-*"):
        record.unlink()
    refused(["figure4a: one kind of its runs alone is recorded", "sweep --figure 4a"], draw, "figure4a", results)


def test_a_kind_keeps_its_colour_whatever_else_is_recorded(finished_run):
    kind = FIGURES["4a"][1]
    records = [from_run(finished_run(0), kind.run(0))]
    (alone,) = comparison({"Dyna-AIL": [], "MGAIL": records}).axes
    (beside,) = comparison({"Dyna-AIL": records, "MGAIL": records}).axes
    label = "MGAIL (seed 0)"
    assert lines(alone)[label].get_color() == lines(beside)[label].get_color()


def test_trajectories_of_unlike_length_have_two_panels(finished_run):
    kind = FIGURES["4a"][0]
    unlike = [from_run(finished_run(seed, 100, 50 + 25 * seed), kind.run(seed)) for seed in range(3)]
    figure = comparison({"Dyna-AIL": unlike}, title="CartPole")
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "real trajectories of training",
        "environment steps of training",
    ]


def test_numbers_of_demonstrations_have_a_panel_each_and_gaps_where_nothing_is_recorded(finished_run, tmp_path):
    kinds = {kind.name: kind for kind in SUITES["demonstrations"] if kind.task == "hopper"}
    for name, best in (("dyna", 100.0), ("dyna_4", 80.0), ("mgail_4x20", 60.0)):
        for seed in range(2):
            run = kinds[name].run(seed)
            write_record(tmp_path, run, from_run(finished_run(seed, best + seed), run))
    figure = draw("demonstrations-hopper", tmp_path)
    whole, thinned = figure.axes
    assert [label.get_text() for label in whole.get_xticklabels()] == ["1", "4", "11", "25", "50"]
    assert whole.get_xlabel() == "whole trajectories"
    assert thinned.get_xlabel() == "trajectories, every 20th step of each"
    dyna, mgail, cloning = (bars.lines[0].get_data() for bars in whole.containers)
    np.testing.assert_array_equal(np.round(dyna[0]), range(5))
    np.testing.assert_allclose(dyna[1], [np.nan, 80.5, np.nan, np.nan, 100.5])
    assert np.isnan(mgail[1]).all() and np.isnan(cloning[1]).all()
    np.testing.assert_allclose(thinned.containers[1].lines[0].get_ydata(), [np.nan, 60.5, *[np.nan] * 3])
    low, high = thinned.get_ylim()
    assert low < 60.5 < 100 < high, "everything is inside"
    note = figure.legends[0].get_title().get_text()
    assert "27 of 30 kinds of runs" in " ".join(note.split())


def test_one_seed_is_drawn_without_a_band(finished_run, tmp_path):
    kind = FIGURES["4a"][0]
    figure = comparison({"Dyna-AIL": [from_run(finished_run(0), kind.run(0))]})
    figure.savefig(tmp_path / "one.png")
    assert list(lines(figure.axes[0])) == ["Dyna-AIL (seed 0)"]


def test_a_run_evaluated_once_is_a_point():
    once, twice = (
        curve_of([{"env_steps": n, "real_trajectories": n, "return_mean": 0, "expert_percent": n} for n in steps])
        for steps in ([30], [10, 30])
    )
    (axes,) = learning_curves({"once": [once], "both": [once, twice], "twice": [twice]}).axes
    drawn = {line.get_label(): line for line in axes.get_lines()}
    for label in ("once, 1 run", "both, mean of 2 runs"):
        line = drawn[label]
        assert line.get_marker() not in ("None", "") and line.get_markevery() == [0]
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (30, 30)
    assert drawn["twice, 1 run"].get_marker() == "None"
    thin = [line for line in axes.get_lines() if line.get_alpha() is not None]
    assert [line.get_marker() != "None" for line in thin] == [True, False]


def test_the_command_writes_what_is_recorded_and_names_the_rest(results, tmp_path, capsys):
    assert main(["figures", "--results", str(results), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[:2] == ["figure4a.png", "figure4a.svg"]
    assert "figure6: no records yet; they are made by: python run.py sweep --figure 6" in told
    assert len(told.splitlines()) > len(PICTURES)
    before = (tmp_path / "out" / "figure4a.svg").read_bytes()
    assert before.startswith(b"<?xml")
    write("figure4a", results, tmp_path / "again")
    assert (tmp_path / "again" / "figure4a.svg").read_bytes() == before, "the same records, another file"
    assert main(["figures", "--results", str(tmp_path / "nowhere")]) == 2
    assert "no such directory; give the one that run.py sweep has put records in" in capsys.readouterr().err
    assert main(["figures", "--results", str(tmp_path / "out" / "figure4a.svg")]) == 2
    assert "--results: expected a directory, found the file" in capsys.readouterr().err


def test_names_and_missing_records_are_told_in_one_line(results, refused, capsys):
    assert recorded("figure4a", results) and not recorded("figure5b", results)
    refused(["unknown figure 'figure4'; did you mean figure4"], draw, "figure4", results)
    refused(["figure5b: no records yet", "run.py sweep --figure 5b"], draw, "figure5b", results)
    assert show("figure5b", results) is None
    assert "run.py sweep --figure 5b" in capsys.readouterr().out


def test_a_robot_is_filmed_where_tensorflow_runs():
    """Sharing a process with TensorFlow, MuJoCo's renderer crashes it."""
    import_tensorflow()
    expert = load_demonstrations("halfcheetah")
    try:
        frames, rate = film_episode(expert.env_id, expert.policy, 3, expert.length, seed=0)
    except UserError as error:
        if not str(error).startswith("this machine cannot render HalfCheetah-v5"):
            raise
        pytest.skip("no EGL")
    assert len(frames) == 4 and frames[0].std() > 10 and rate == 20
    again, _ = film_episode(expert.env_id, expert.policy, 3, expert.length, seed=0)
    np.testing.assert_array_equal(frames, again)


def test_an_expert_is_filmed():
    expert = load_demonstrations("cartpole")
    frames, rate = film_episode(expert.env_id, expert.policy, 6, expert.length, seed=0)
    assert len(frames) == 7 and frames[0].shape[2] == 3 and rate == 50
    assert gif(frames, rate).startswith(b"GIF8")
