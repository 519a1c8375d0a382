"""Statistics with known answers."""

import numpy as np
import pytest
from scipy import stats

from mgail_dyna.experiments.statistics import (
    Estimate,
    common_grid,
    estimate,
    evaluation_spacing,
    first_reached,
    interquartile_mean,
    lowest_after,
    resampled,
    share_after,
    spread_note,
)
from mgail_dyna.experiments.tables import format_estimate


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert interquartile_mean([1, 2, 3, 4, 5, 6, 7, 1000]) == 4.5
    assert interquartile_mean([0, 10, 20, 30, 1e6]) == 20
    assert interquartile_mean([1, 2, 6]) == 3, "three are too few to leave one out"
    assert interquartile_mean([7]) == 7
    np.testing.assert_array_equal(interquartile_mean([[1, 2], [3, 4], [5, 6], [7, 80]]), [4, 5])


def test_the_interval_is_that_of_scipys_percentile_bootstrap():
    values = np.random.default_rng(3).normal(80, 15, 10)
    found = estimate([values], resamples=20_000)
    theirs = stats.bootstrap(
        (values,), interquartile_mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1), axis=0
    ).confidence_interval
    assert found.low == pytest.approx(theirs.low, abs=0.5)
    assert found.high == pytest.approx(theirs.high, abs=0.5)
    assert found.low < found.value < found.high
    assert estimate([values]) == estimate([values]), "the same seeds must give the same interval"


def test_equal_seeds_have_an_interval_without_width():
    assert estimate([[50.0] * 5]) == (50.0, 50.0, 50.0, "interval")


def test_below_five_seeds_there_is_a_mean_and_a_range():
    assert estimate([[97.6, 98.4, 98.3]]) == (pytest.approx(98.1), 97.6, 98.4, "range")
    assert estimate([[0.0, 10.0, 20.0, 90.0]]) == (30, 0, 90, "range"), "the mean of all four, none left out"
    five = estimate([[0.0, 10.0, 20.0, 90.0, 100.0]])
    assert five.spread == "interval" and five.value == 40, "the mean of the middle three"
    assert estimate([[1.0] * 9, [0.0, 5.0]]).spread == "range", "one task with two seeds is enough"


def test_an_estimate_as_text_says_what_its_spread_is():
    assert format_estimate(Estimate(98.1, 97.6, 98.4, "interval"), ".1f") == "98.1 [97.6, 98.4]"
    assert format_estimate(Estimate(98.1, 97.6, 98.4, "range"), ".1f") == "98.1 (97.6 to 98.4)"
    assert format_estimate(estimate([[98.13]]), ".1f") == "98.1"
    assert format_estimate(Estimate(np.inf, 10_400, np.inf, "interval"), ",.0f") == "never [10,400, never]"
    assert format_estimate(Estimate(np.inf, 10_400, np.inf, "range"), ",.0f") == "some never (soonest 10,400)"
    assert format_estimate(estimate([[np.inf] * 3]), ",.0f") == "never"


def test_an_estimate_as_text_has_no_minus_zero():
    assert format_estimate(Estimate(53.57, -0.04, 83.8, "interval"), ".1f") == "53.6 [0.0, 83.8]"
    assert format_estimate(Estimate(-0.06, -1.0, 0.0, "range"), ".1f") == "-0.1 (-1.0 to 0.0)"


def test_the_note_below_a_figure_says_which_spread_is_drawn():
    assert "bands are 95% bootstrap intervals" in spread_note(["interval", "none"], "bands")
    assert "range" not in spread_note(["interval", "none"], "bands")
    assert "bars are ranges" in spread_note(["range"], "bars") and "95%" not in spread_note(["range"], "bars")
    both = spread_note(["range", "interval"], "bars")
    assert both.startswith("5 seeds or more: interquartile mean, bars are 95% bootstrap intervals. Fewer seeds: mean")
    assert spread_note(["none"], "bands") == "One seed of each kind."


def test_one_seed_has_no_spread():
    found = estimate([[50.0]])
    assert found.value == 50 and np.isnan(found.low) and np.isnan(found.high) and found.spread == "none"
    with pytest.raises(ValueError, match="at least one seed"):
        estimate([[]])


def test_resampling_is_stratified_by_task():
    # Within each task all seeds agree, so no resample can differ, however far the tasks lie apart.
    assert estimate([[10.0] * 5, [90.0] * 5]) == (50.0, 50.0, 50.0, "interval")
    unlike = estimate([[10.0] * 5 + [90.0] * 5])
    assert unlike.low < 30 and unlike.high > 70


def test_whole_curves_are_resampled():
    curves = np.array([[0.0, 10.0], [10.0, 0.0]])  # a seed is good at one point and bad at the other
    for found, spread in ((estimate([curves]), "range"), (estimate([np.tile(curves, (3, 1))]), "interval")):
        assert found.spread == spread
        np.testing.assert_array_equal(found.value, [5, 5])
        np.testing.assert_array_equal(found.low, [0, 0])
        np.testing.assert_array_equal(found.high, [10, 10])
    many = estimate([np.tile(curves, (50, 1))])
    np.testing.assert_allclose(many.low + many.high, 10, err_msg="what one point gains, the other loses")


def test_what_was_never_reached_is_infinite_and_no_nan():
    some = estimate([[1000.0, 2000.0, np.inf, 3000.0, 1500.0]])
    assert some.value == pytest.approx(6500 / 3)
    assert some.low < some.value and some.high == np.inf
    assert estimate([[np.inf] * 5]) == (np.inf, np.inf, np.inf, "interval")
    assert estimate([[1000.0, np.inf, 3000.0]]) == (np.inf, 1000, np.inf, "range")
    assert estimate([[-np.inf, 70.0, 80.0]]) == (-np.inf, -np.inf, 80, "range")


def test_a_curve_is_the_last_evaluation_so_far():
    found = resampled([10, 20, 30], [1, 2, 3], [5, 10, 19.9, 20, 35])
    np.testing.assert_array_equal(found, [np.nan, 1, 1, 2, 3])
    assert resampled([10, 20, 20], [1, 2, 3], [20])[0] == 3, "of two at one place the later"


def test_the_grid_spans_what_all_runs_share():
    np.testing.assert_array_equal(common_grid([[10, 50, 100], [20, 90]], points=3), [20, 60, 100])


def test_the_first_reading_at_a_level():
    steps, percent = [10, 20, 30, 40], [50, 90, 70, 95]
    assert first_reached(steps, percent, 90, spacing=20) == 20
    assert first_reached(steps, percent, 90, spacing=15) == 45, "at 15 and 30 the last evaluations are 50 and 70"
    assert first_reached(steps, percent, 90, spacing=25) == 25
    assert first_reached([10, 20], [50, 89.9], 90, spacing=10) == np.inf
    assert first_reached([10, 20], [50, 90], 90, spacing=15) == 30, "a run that has ended keeps its last evaluation"
    assert first_reached([0, 0, 0], [95, 50, 92], 90, spacing=15) == 0, "without env steps the last one counts"
    assert first_reached([0, 0], [95, 50], 90, spacing=0) == np.inf
    assert first_reached(steps, percent, 90, spacing=0) == 20, "every evaluation is a reading"


def test_frequent_evaluation_is_no_advantage():
    """The same policy at every env step, with one lucky moment; looked at every 100 and every 400 env steps."""
    steps = np.arange(100, 4_001, 100)
    percent = np.where(steps >= 2_100, 95.0, 60.0)
    percent[steps == 700] = 91.0
    often, rarely = (steps, percent), (steps[3::4], percent[3::4])
    assert first_reached(*often, 90, spacing=0) == 700 and first_reached(*rarely, 90, spacing=0) == 2_400
    spacing = max(evaluation_spacing([kind[0]]) for kind in (often, rarely))
    assert spacing == 400
    assert first_reached(*often, 90, spacing) == first_reached(*rarely, 90, spacing) == 2_400


def test_the_spacing_of_evaluations_is_a_mean_without_the_last_interval():
    assert evaluation_spacing([[400, 800, 1_200]]) == 400
    assert evaluation_spacing([[400, 800, 810]]) == 400, "a run is evaluated at its end, whenever that comes"
    assert evaluation_spacing([[300, 900, 1_000], [400, 800, 1_200]]) == 425
    assert evaluation_spacing([[250]]) == 250
    assert evaluation_spacing([[0, 0, 0]]) == evaluation_spacing([]) == 0


def test_whether_a_run_stays_and_how_low_it_falls():
    percent = [50, 91, 89, 95, 70, 96]
    assert share_after(percent, 90) == 3 / 5
    assert lowest_after(percent, 90) == 70
    assert share_after([10, 90], 90) == 1 and lowest_after([10, 90], 90) == 90
    assert share_after([10, 89], 90) == 0 and lowest_after([10, 89], 90) == -np.inf
