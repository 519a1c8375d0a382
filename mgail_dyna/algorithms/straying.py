"""How far episodes stray from the demonstrations: a measure of imitation without rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.disagreement import nearest
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.types import Array, FloatArray

# Demonstrated states that distances are taken to, at most.
MOST = 10_000
# Steps before and after a demonstrated state that are not compared with it, as they are near in any task; at most a
# quarter of a demonstration.
NEIGHBOURS, QUARTER = 50, 0.25
# A state is away beyond so many times the distance within which this share of the demonstrated states have another one.
# A demonstration passes its beginning once, so no other of its states is near that: a larger share would measure it.
TIMES, SHARE = 4.0, 0.75
# But not within so many units: an expert that stands still is always nearer to itself.
ALWAYS_NEAR = 0.5
# Weight of the episodes before the last one: one lost episode says little.
MEMORY = 0.9
# Demonstrated states whose distance to the others is taken, and made-up states.
DRAWN = 1_000
# Where fewer made-up states than this share count as away, hardly any straying would be seen.
SEEN = 0.25


class Straying:
    """The share of an episode that is spent away from all demonstrated states, or is missing.

    Take each demonstrated state's distance to the nearest other one, neighbours in time left out. The limit is four
    times the distance that 75% of them stay below, but at least half a unit. A state is away if it is farther than that
    from all demonstrated states. Steps that an episode lacks because it terminated too soon
    (`Demonstrations.due_length`) count as away. Where demonstrations are subsampled, states between two kept ones may
    count as away too.

    Args:
        demos: the demonstrations.
        policy: normalises observations as the networks see them.
        rng: draws the demonstrated states, where there are more than 10,000.

    Attributes:
        share: a moving average over episodes, from 0 (as the expert) to 1. Before the first it is 1/(n + 1) with n
            demonstrations: the fewer there are, the less one may trust a clone that has not been seen to fail.
        seen: the share of made-up states that count as away. Each of their coordinates is from another demonstrated
            state, so they are not the expert's.
        blind: straying would hardly be seen, because the demonstrations are so far apart that everything is near; not
            where half a unit is the limit because the expert mostly stands still.
    """

    def __init__(self, demos: Demonstrations, policy: NumpyPolicy, rng: np.random.Generator) -> None:
        self.policy = policy
        episodes = [policy.normalise(trajectory.observations[:-1]) for trajectory in demos.trajectories]
        kept = [trajectory.subsample for trajectory in demos.trajectories]
        lengths = [len(states) * every for states, every in zip(episodes, kept, strict=True)]
        # The time of each state, on one line, with gaps so that different episodes are never neighbours.
        starts = np.cumsum([0, *(length + NEIGHBOURS for length in lengths[:-1])])
        times = [start + every * np.arange(len(e)) for start, every, e in zip(starts, kept, episodes, strict=True)]
        self.states, self.times, self.length = np.concatenate(episodes), np.concatenate(times), demos.due_length
        self.neighbours = min(NEIGHBOURS, int(QUARTER * min(lengths)))
        if len(self.states) > MOST:
            rows = np.sort(rng.choice(len(self.states), MOST, replace=False))
            self.states, self.times = self.states[rows], self.times[rows]
        drawn = rng.permutation(len(self.states))[:DRAWN]
        apart = float(np.quantile(self._distances(self.states[drawn], self.times[drawn]), SHARE))
        self.limit = max(TIMES * apart, ALWAYS_NEAR)
        self.share = 1.0 / (1.0 + len(demos.trajectories))
        made_up = np.stack([rng.choice(column, DRAWN) for column in self.states.T], axis=-1)
        self.seen = float(np.mean(~self.near(made_up)))
        self.blind = self.seen < SEEN and self.limit > ALWAYS_NEAR

    def ignore_distances(self) -> None:
        """From here on only steps that episodes lack count, and there is no doubt at first."""
        self.limit, self.share = np.inf, 0.0

    def update(self, shares: Sequence[float]) -> float:
        """Takes the shares of an iteration's episodes into the average, and returns it."""
        for share in shares:
            self.share = MEMORY * self.share + (1.0 - MEMORY) * share
        return self.share

    def of_episode(self, near: NDArray[np.bool_], failed: bool) -> float:
        """The share of one episode whose states are `near [T]` or away; `failed` if it lacks steps."""
        return 1.0 - int(near.sum()) / (max(self.length, len(near)) if failed else len(near))

    def near(self, states: FloatArray) -> NDArray[np.bool_]:
        """Which of the normalised `states [n, d]` are not away."""
        if np.isinf(self.limit):  # no need for distances
            return np.ones(len(states), bool)
        return self._distances(states) <= self.limit

    def watch(self, steps: int) -> Callable[[Array], bool]:
        """For one episode: takes its observations one by one and says when the last `steps` were all away."""
        away = 0

        def lost(observation: Array) -> bool:
            nonlocal away
            away = 0 if self.near(self.policy.normalise(observation[None]))[0] else away + 1
            return away >= steps

        return lost

    def _distances(self, states: FloatArray, times: Array | None = None) -> FloatArray:
        """From each of `states` to the nearest demonstrated one, but not to those around its own time, if given."""

        def neighbours(chunk: slice) -> NDArray[np.bool_]:
            assert times is not None
            return np.asarray(np.abs(times[chunk, None] - self.times) <= self.neighbours)

        return nearest(states, self.states, None if times is None else neighbours)[1]
