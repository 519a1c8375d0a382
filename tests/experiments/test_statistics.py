"""Statistics with known answers."""

import numpy as np
import pytest
from scipy import stats

from mgail_dyna.experiments.statistics import (
    Estimate,
    common_grid,
    estimate,
    first_reached,
    interquartile_mean,
    resampled,
)
from mgail_dyna.experiments.tables import shown


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
    assert estimate([[50.0] * 5]) == (50.0, 50.0, 50.0)


def test_an_estimate_as_text_has_no_minus_zero():
    assert shown(Estimate(53.57, -0.04, 83.8), ".1f") == "53.6 [0.0, 83.8]"
    assert shown(Estimate(-0.06, -1.0, 0.0), ".1f") == "-0.1 [-1.0, 0.0]"
    assert shown(Estimate(np.inf, 10_400, np.inf), ",.0f") == "never [10,400, never]"


def test_one_seed_has_no_interval():
    found = estimate([[50.0]])
    assert found.value == 50 and np.isnan(found.low) and np.isnan(found.high)
    with pytest.raises(ValueError, match="at least one seed"):
        estimate([[]])


def test_resampling_is_stratified_by_task():
    # Within each task all seeds agree, so no resample can differ, however far the tasks lie apart.
    assert estimate([[10.0] * 4, [90.0] * 4]) == (50.0, 50.0, 50.0)
    unlike = estimate([[10.0] * 4 + [90.0] * 4])
    assert unlike.low < 30 and unlike.high > 70


def test_whole_curves_are_resampled():
    curves = np.array([[0.0, 10.0], [10.0, 0.0]])  # a seed is good at one point and bad at the other
    found = estimate([curves])
    np.testing.assert_array_equal(found.value, [5, 5])
    np.testing.assert_array_equal(found.low, [0, 0])
    np.testing.assert_array_equal(found.high, [10, 10])


def test_what_was_never_reached_is_infinite_and_no_nan():
    some = estimate([[1000.0, 2000.0, np.inf, 3000.0, 1500.0]])
    assert some.value == pytest.approx(6500 / 3)
    assert some.low < some.value and some.high == np.inf
    none = estimate([[np.inf] * 4])
    assert none == (np.inf, np.inf, np.inf)


def test_a_curve_is_the_last_evaluation_so_far():
    found = resampled([10, 20, 30], [1, 2, 3], [5, 10, 19.9, 20, 35])
    np.testing.assert_array_equal(found, [np.nan, 1, 1, 2, 3])
    assert resampled([10, 20, 20], [1, 2, 3], [20])[0] == 3, "of two at one place the later"


def test_the_grid_spans_what_all_runs_share():
    np.testing.assert_array_equal(common_grid([[10, 50, 100], [20, 90]], points=3), [20, 60, 100])


def test_the_first_step_at_a_level():
    assert first_reached([10, 20, 30, 40], [50, 90, 70, 95], 90) == 20
    assert first_reached([10, 20], [50, 89.9], 90) == np.inf
    assert first_reached([10, 20], [np.nan, 90], 90) == 20
