"""Statistics, whitening, running moments and the scale of returns."""

import numpy as np
import pytest

from mgail_dyna.hdf5 import load_state, save_state
from mgail_dyna.normalization import ReturnScale, RunningMoments, statistics, whitening


def test_a_constant_coordinate_is_left_in_its_own_units():
    mean, std = statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(mean, [2.0, 5.0])
    np.testing.assert_array_equal(std, [1.0, 1.0])


def test_statistics_of_many_numbers_lose_nothing():
    rows = np.tile(np.array([[1_000.0], [1_002.0]], np.float32), (500_000, 1))
    mean, std = statistics(rows)
    np.testing.assert_allclose([mean[0], std[0]], [1_001.0, 1.0], rtol=1e-9)


def test_whitened_pairs_are_uncorrelated_and_all_vary_alike():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((4, 4))
    points = np.concatenate([rng.standard_normal((500, 4)) @ mixed + 3.0, np.full((500, 1), 7.0)], axis=1)
    centre, matrix = whitening(points, power=1.0, least=0.1)
    white = (points - centre) @ matrix
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.diag([1.0, 1.0, 1.0, 1.0, 0.0]), atol=1e-3)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    half = whitening(points, power=0.5, least=0.1).matrix
    np.testing.assert_allclose(half @ half, matrix, rtol=1e-3, atol=1e-4)
    off = (points[0] + [0, 0, 0, 0, 0.3] - centre) @ matrix - white[0]
    np.testing.assert_allclose(off, [0, 0, 0, 0, 3.0], atol=1e-3, err_msg="0.3 where the points never vary, by 0.1")


def test_running_moments_equal_those_of_the_whole_stream():
    stream = np.random.default_rng(0).normal(3.0, 2.0, (100, 4))
    moments = RunningMoments((4,))
    for chunk in np.split(stream, [10, 11, 60]):
        moments.update(chunk)
    np.testing.assert_allclose(moments.mean, stream.mean(axis=0))
    np.testing.assert_allclose(moments.variance, stream.var(axis=0))


def test_return_scale_is_the_deviation_of_discounted_returns():
    scale = ReturnScale(environments=1, discount=0.5)
    scale.update(np.array([[1.0], [2.0], [4.0]]), np.array([[False], [True], [False]]))
    np.testing.assert_allclose(scale.scale, np.std([1.0, 2.5, 4.0]), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_restored_state_is_saved_as_the_one_it_came_from(shape, tmp_path):
    moments, other = RunningMoments(shape), RunningMoments(shape)
    moments.update(np.random.default_rng(0).standard_normal((5, *shape)))
    save_state(tmp_path / "a.h5", moments.state(), "moments")
    other.restore(load_state(tmp_path / "a.h5", "moments"))
    save_state(tmp_path / "b.h5", other.state(), "moments")
    one, two = (load_state(tmp_path / name, "moments") for name in ("a.h5", "b.h5"))
    for name in one:
        assert type(one[name]) is type(two[name]) and np.array_equal(one[name], two[name]), name
