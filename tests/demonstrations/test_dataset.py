"""Demonstrations, and parts of them."""

import numpy as np
import pytest

from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.errors import UserError


def test_scarce_demonstrations_are_the_first_ones_and_every_so_many_steps_of_them():
    whole = load_demonstrations("cartpole")
    few = subset(whole, 2, 7)
    assert [len(t) for t in few.trajectories] == [len(range(i, 1000, 7)) for i in range(2)]
    for i, (kept, all_steps) in enumerate(zip(few.trajectories, whole.trajectories, strict=False)):
        np.testing.assert_array_equal(kept.observations[:-1], all_steps.observations[:-1][i::7])
        np.testing.assert_array_equal(kept.actions, all_steps.actions[i::7])
        assert kept.subsample == 7
    assert subset(whole, None, 1) is whole
    held = len(whole.trajectories)
    for demonstrations, subsample, found in ((held + 1, 1, held + 1), (None, 1001, 1001)):
        with pytest.raises(UserError, match=f"found {found}"):
            subset(whole, demonstrations, subsample)
