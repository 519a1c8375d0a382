"""Figures: what is in them, what is written, and what is said where nothing is recorded."""

from dataclasses import replace

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
        "behavioural cloning, no env steps: 90% (seeds 0-2)",
    ]
    x, y = found["MGAIL (seeds 0-2)"].get_data()
    last = max(record.curve["real_trajectories"][-1] for record in read_kind(results, FIGURES["4a"][1]))
    assert x[0] == 6 and x[-1] == last, "from where all have been evaluated to where the last ends"
    assert y[-1] == pytest.approx(60)
    assert len({(line.get_linestyle(), line.get_marker()) for line in found.values()}) == 3, "the same in grey"
    assert set(found["behavioural cloning, no env steps: 90% (seeds 0-2)"].get_ydata()) == {90.0}
    assert axes.get_xlabel() == "real trajectories of training"
    assert all(tick == round(tick) for tick in axes.get_xticks()), "there are no halves of trajectories"
    (above,) = axes.child_axes
    assert above.get_xlabel() == "environment steps of training (the average trajectory has 49)"
    (band, *_) = axes.collections
    assert estimate([[0.0, 1.0]]).low < estimate([[0.0, 1.0]]).high
    assert np.isfinite(band.get_paths()[0].vertices).all()


def note_of(figure):
    return " ".join(figure.legends[0].get_title().get_text().split())


def test_a_figure_says_what_is_not_recorded_yet(results, refused):
    assert "Not recorded yet: MGAIL, more gradient steps." in note_of(draw("figure4a", results))
    for record in results.glob("*/*-mgail-*"):
        record.unlink()
    refused(["figure4a: only one kind of its runs is recorded", "sweep --figure 4a"], draw, "figure4a", results)


def test_a_band_over_fewer_than_five_seeds_is_the_range_and_the_note_says_so(finished_run):
    kind = FIGURES["4a"][0]
    records = [from_run(finished_run(seed, 60.0 + 10 * seed), kind.run(seed)) for seed in range(5)]
    few, enough = (comparison({"Dyna-AIL": records[:count]}) for count in (3, 5))
    assert "bands are ranges from the lowest to the highest seed" in note_of(few)
    assert "bands are 95% bootstrap intervals" in note_of(enough) and "range" not in note_of(enough)
    both = comparison({"Dyna-AIL": records, "MGAIL": records[:3]})
    assert "5 seeds or more: interquartile mean, bands are 95% bootstrap intervals. Fewer seeds" in note_of(both)
    heights = [figure.axes[0].collections[0].get_paths()[0].vertices[:, 1].max() for figure in (few, enough)]
    assert heights[0] == 80 and heights[1] < 100, "the highest of three; less than the highest of five"


def test_the_note_names_the_spacing_of_evaluations_if_it_differs(finished_run):
    kind = FIGURES["4a"][0]
    often = from_run(finished_run(0), kind.run(0))
    rarely = replace(often, curve={name: values[3::4] for name, values in often.curve.items()})
    assert "between evaluations: Dyna-AIL 250; MGAIL 1,000." in note_of(
        comparison({"Dyna-AIL": [often], "MGAIL": [rarely]})
    )
    assert "between evaluations" not in note_of(comparison({"Dyna-AIL": [often], "MGAIL": [often]}))


def test_a_kind_keeps_its_colour_whatever_else_is_recorded(finished_run):
    dyna, mgail = ([from_run(finished_run(0, mode=kind.name), kind.run(0))] for kind in FIGURES["4a"][:2])
    (alone,) = comparison({"Dyna-AIL": [], "MGAIL": mgail}).axes
    (beside,) = comparison({"Dyna-AIL": dyna, "MGAIL": mgail}).axes
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


def test_nothing_is_cut_off_in_either_panel(finished_run):
    """By env steps a curve begins earlier, and so lower, than by trajectories: the second panel needs lower limits."""
    kind = FIGURES["4a"][0]
    high, low = (from_run(finished_run(seed, 100, 50 + 25 * seed), kind.run(seed)) for seed in (0, 1))
    low.curve["real_trajectories"][:] += 3
    low.curve["env_steps"][0] = 1.0
    high.curve["expert_percent"][0] = 0.0
    high.curve["env_steps"][0], high.curve["real_trajectories"][:2] = 2.0, 1.0
    figure = comparison({"Dyna-AIL": [high, low]})
    trajectories, steps = figure.axes
    (first,), (second,) = ([line for label, line in lines(axes).items()] for axes in (trajectories, steps))
    assert second.get_ydata().min() < first.get_ydata().min() - 1, "the case that this test is about"
    for axes in figure.axes:
        drawn = np.concatenate([line.get_ydata() for line in lines(axes).values()])
        assert axes.get_ylim()[0] <= drawn.min() and drawn.max() <= axes.get_ylim()[1]


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
    assert "27 of 30 kinds of runs" in note_of(figure) and "bars are ranges" in note_of(figure)
    for seed in range(2, 5):
        write_record(tmp_path, kinds["dyna"].run(seed), from_run(finished_run(seed), kinds["dyna"].run(seed)))
    note = note_of(draw("demonstrations-hopper", tmp_path))
    assert "5 seeds or more are recorded of: 50 whole trajectories." in note


def test_every_task_of_the_recipe_has_a_panel_with_cloning_and_the_published_number(finished_run, tmp_path):
    kinds = {(kind.task, kind.name): kind for kind in SUITES["tasks"]}
    tried = (("cartpole", "dyna", 100.0), ("hopper", "dyna", 80.0), ("hopper", "bc", 60.0), ("walker2d", "bc", 50.0))
    for task, name, best in tried:
        run = kinds[task, name].run(0)
        write_record(tmp_path, run, from_run(finished_run(0, best, mode=name), run))
    figure = draw("tasks", tmp_path)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == ["CartPole", "Hopper"]
    words = [text.get_text() for text in shown[1].texts]
    assert "published: 90% at 49,000\n(CSIL, 10 demonstrations)" in words
    assert not any("published" in text.get_text() for text in shown[0].texts)
    levels = [line.get_ydata()[0] for line in shown[1].lines if line.get_linewidth() == 5.0]
    assert levels == [60.0], "cloning's"


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
    out = capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[:2] == ["figure4a.png", "figure4a.svg"]
    assert "figure6: no records yet; to make the records: python run.py sweep --figure 6" in out
    assert len(out.splitlines()) > len(PICTURES)
    before = (tmp_path / "out" / "figure4a.svg").read_bytes()
    assert before.startswith(b"<?xml")
    write("figure4a", results, tmp_path / "again")
    assert (tmp_path / "again" / "figure4a.svg").read_bytes() == before, "the same records, another file"
    assert main(["figures", "--results", str(tmp_path / "nowhere")]) == 2
    err = capsys.readouterr().err
    assert "nowhere: no such directory" in err and "run.py sweep" in err and err.count("\n") == 1
    assert main(["figures", "--results", str(tmp_path / "out" / "figure4a.svg")]) == 2
    assert "--results: expected a directory, found the file" in capsys.readouterr().err


def test_wrong_names_and_missing_records_give_one_line(results, refused, capsys):
    assert recorded("figure4a", results) and not recorded("figure5b", results)
    refused(["unknown figure 'figure4'; did you mean figure4"], draw, "figure4", results)
    refused(["figure5b: no records yet", "run.py sweep --figure 5b"], draw, "figure5b", results)
    assert show("figure5b", results) is None
    assert "run.py sweep --figure 5b" in capsys.readouterr().out


def test_a_robot_is_filmed_where_tensorflow_runs():
    """Sharing a process with TensorFlow, MuJoCo's renderer crashes it."""
    import_tensorflow()
    demos, steps = load_demonstrations("halfcheetah"), iter(range(10))
    try:
        frames, rate = film_episode(demos.env_id, demos.policy, 3, demos.length, seed=0, done=lambda: next(steps))
    except UserError as error:
        if not str(error).startswith("this machine cannot render HalfCheetah-v5"):
            raise
        pytest.skip("no EGL")
    assert len(frames) == 4 and frames[0].std() > 10 and rate == 20
    assert next(steps) == 3, "each step is counted"
    again, _ = film_episode(demos.env_id, demos.policy, 3, demos.length, seed=0)
    np.testing.assert_array_equal(frames, again)


def test_an_expert_is_filmed():
    expert, steps = load_demonstrations("cartpole"), iter(range(10))
    frames, rate = film_episode(expert.env_id, expert.policy, 6, expert.length, seed=0, done=lambda: next(steps))
    assert next(steps) == 6
    assert len(frames) == 7 and frames[0].shape[2] == 3 and rate == 50
    assert gif(frames, rate).startswith(b"GIF8")


def test_every_suite_that_compares_has_a_figure_for_each_of_its_tasks():
    drawn = {kind for picture in PICTURES.values() for kind in picture.kinds}
    assert {kind for kinds in SUITES.values() for kind in kinds} <= drawn
    for task in ("cartpole", "hopper", "halfcheetah"):
        labels = [kind.label for kind in PICTURES[f"planning-{task}"].kinds]
        assert labels[:3] == ["Dyna-AIL", "Dyna-AIL, plans only", "Dyna-AIL, imagined pairs only"]
    for picture in PICTURES.values():
        compared = [kind for kind in picture.kinds if not kind.baseline]
        assert len({kind.trust_region for kind in compared}) == 1, "TRPO takes far more env steps"


def test_the_natural_gradient_is_beside_adam_on_every_recorded_task(finished_run, tmp_path):
    for kind in (kind for kind in SUITES["natural"] if kind.task == "hopper"):
        for seed in range(2):
            write_record(
                tmp_path,
                kind.run(seed),
                from_run(finished_run(seed, 90.0, mode=kind.algorithm), kind.run(seed)),
            )
    (panel,) = draw("figure8", tmp_path).axes
    assert panel.get_title(loc="left") == "Hopper"
    assert list(lines(panel)) == [
        "Dyna-AIL",
        "Dyna-AIL, natural gradient",
        "behavioural cloning, no env steps",
    ]


def test_switching_shows_what_each_iteration_takes_below_what_is_learned(finished_run, tmp_path):
    for kind in (kind for kind in SUITES["switch"] if kind.task == "hopper"):
        for seed in range(2):
            write_record(tmp_path, kind.run(seed), from_run(finished_run(seed, 90.0, mode="dyna"), kind.run(seed)))
    figure = draw("figure7", tmp_path)
    assert "Not recorded yet: HalfCheetah, Dyna-AIL, fixed switching; " in note_of(figure)
    above, below = figure.axes
    assert list(lines(above)) == [
        "Dyna-AIL, fixed switching",
        "Dyna-AIL, fixed, 100 env steps",
        "Dyna-AIL, adaptive switching",
    ]
    assert above.get_title(loc="left") == "Hopper, seeds 0-1"
    (record, _) = read_kind(tmp_path, SUITES["switch"][0])
    x, y = below.lines[0].get_data()
    np.testing.assert_array_equal(x, record.curve["env_steps"])
    np.testing.assert_array_equal(np.cumsum(y), x)
    assert len(below.lines) == 6, "every seed of each kind"
    assert below.get_ylabel() == "env steps of an iteration"


def test_one_legend_has_what_any_panel_shows(finished_run, tmp_path):
    hopper, _, adaptive, cheetah, *_ = SUITES["switch"]
    assert (hopper.task, adaptive.name, cheetah.task) == ("hopper", "dyna_adaptive", "halfcheetah")
    for kind in (cheetah, next(each for each in SUITES["switch"] if each.task == "halfcheetah" and each != cheetah)):
        write_record(tmp_path, kind.run(3), from_run(finished_run(3, 90.0, mode="dyna"), kind.run(3)))
    write_record(tmp_path, hopper.run(0), from_run(finished_run(0, 90.0, mode="dyna"), hopper.run(0)))
    figure = draw("figure7", tmp_path)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["Dyna-AIL, fixed switching", "Dyna-AIL, fixed, 100 env steps"]
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["Hopper, seed 0", "HalfCheetah, seed 3"]
