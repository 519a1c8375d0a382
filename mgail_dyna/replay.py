"""Replay: whole episodes in, pairs or masked windows of fixed shape out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.types import Array, FloatArray


@dataclass(frozen=True)
class Windows:
    """`K` batches of `B` segments of episodes, `[K, time, B, ...]`, all float32.

    Attributes:
        states: `[K, W + T + 1, B, d]`, normalised; the last one follows the last action.
        actions: `[K, W + T, B, a]`, in the networks' units.
        noise: `[K, W + T, B, n]` of the actions; zeros where it was not recorded.
        mask: `[K, W + T, B]`, 1 where the episode has that step, 0 before its start and after its end.
    """

    states: FloatArray
    actions: FloatArray
    noise: FloatArray
    mask: FloatArray


class Replay:
    """Episodes in flat arrays that grow.

    Args:
        state_size: `d`.
        action_size: `a`, of the networks' action vectors.
        noise_size: `n`.
        capacity: transitions kept at least; the oldest episodes are dropped when there are twice that many. None: keep
            all.
    """

    def __init__(self, state_size: int, action_size: int, noise_size: int, capacity: int | None = None) -> None:
        self._capacity = capacity
        self._columns = {
            "states": np.zeros((1024, state_size), np.float32),
            "actions": np.zeros((1024, action_size), np.float32),
            "noise": np.zeros((1024, noise_size), np.float32),
            "near": np.ones(1024, bool),
        }
        self._first = np.zeros(1024, np.int64)  # row of the episode's first state
        self._last = np.zeros(1024, np.int64)  # row of its last state
        self._rows = 0
        self._with_action, self._actions = np.zeros(1024, np.int64), 0  # rows with an action, and how many

    @property
    def _acted(self) -> NDArray[np.int64]:
        return self._with_action[: self._actions]

    @_acted.setter
    def _acted(self, rows: NDArray[np.int64]) -> None:
        self._with_action, self._actions = rows, len(rows)

    @property
    def steps(self) -> int:
        """Number of steps with an action, successor known or not."""
        return len(self._acted)

    def add(
        self,
        states: FloatArray,
        actions: FloatArray,
        noise: FloatArray | None = None,
        near: NDArray[np.bool_] | None = None,
        continues: bool = False,
    ) -> None:
        """Adds an episode.

        Args:
            states: `[T + 1, d]`.
            actions: `[T, a]`.
            noise: `[T, n]` of the actions.
            near: `[T]`, which of the states acted in are near the demonstrations; None: all.
            continues: it continues the last episode: its first state is that one's final state, and both become one.
        """
        if continues:
            self._rows -= 1  # the final state now gets an action
        start, end = self._append(states, actions, noise)
        if near is not None:
            self._columns["near"][start : start + len(actions)] = near
        begin = int(self._first[start]) if continues else start
        self._first[begin:end], self._last[begin:end] = begin, end - 1
        self._forget()

    def clear(self) -> None:
        """Forgets everything."""
        self._rows = self._actions = 0

    def add_pairs(self, states: FloatArray, actions: FloatArray) -> None:
        """Adds `states [n, d]` and `actions [n, a]` without successor states; they make no transition."""
        start, end = self._append(states, actions, None)
        self._first[start:end] = self._last[start:end] = np.arange(start, end)

    def _append(self, states: FloatArray, actions: FloatArray, noise: FloatArray | None) -> tuple[int, int]:
        start, end, acted = self._rows, self._rows + len(states), slice(self._rows, self._rows + len(actions))
        while end > len(self._first):
            self._columns = {name: _doubled(column) for name, column in self._columns.items()}
            self._first, self._last = _doubled(self._first), _doubled(self._last)
        self._columns["states"][start:end], self._columns["near"][start:end] = states, True
        self._columns["actions"][acted] = actions
        if noise is not None:
            self._columns["noise"][acted] = noise
        self._rows = end
        before, self._actions = self._actions, self._actions + len(actions)
        while self._actions > len(self._with_action):
            self._with_action = _doubled(self._with_action)
        self._with_action[before : self._actions] = np.arange(acted.start, acted.stop)
        return start, end

    def _forget(self) -> None:
        """Drops the oldest episodes when there are twice as many steps as the capacity."""
        if self._capacity is None or self.steps < 2 * self._capacity:
            return
        row = int(self._first[self._acted[-self._capacity]])
        kept = slice(row, self._rows)
        self._columns = {name: column[kept].copy() for name, column in self._columns.items()}
        self._first, self._last = self._first[kept] - row, self._last[kept] - row
        self._acted = self._acted[self._acted >= row] - row
        self._rows -= row

    def pairs(
        self, rng: np.random.Generator, shape: tuple[int, ...], recent_steps: int | None = None
    ) -> tuple[Any, Any]:
        """States `[*shape, d]` and actions `[*shape, a]` of steps drawn uniformly.

        Args:
            rng: draws them.
            shape: of the draw.
            recent_steps: draw from this many steps, counted back from the last; from all if None.
        """
        rows = self._draw(self._acted, rng, shape, recent_steps)
        return self._columns["states"][rows], self._columns["actions"][rows]

    def transitions(
        self, rng: np.random.Generator, shape: tuple[int, ...], recent_steps: int | None = None
    ) -> tuple[Any, Any, Any]:
        """States, actions and next states, `[*shape, ...]`, of steps that led to a known state; as `pairs`."""
        return self._followed(self._draw(self._led_on, rng, shape, recent_steps))

    def windows(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        length: int,
        burn_in: int = 0,
        recent_steps: int | None = None,
        near: bool = False,
    ) -> Windows:
        """Stretches of `burn_in` steps, then `length` steps from one drawn uniformly.

        Args:
            rng: draws them.
            shape: `(K, B)`.
            length: `T`.
            burn_in: `W`, steps before the drawn one.
            recent_steps: as for `pairs`.
            near: draw steps near the demonstrations only; all if there are none.
        """
        steps = self._acted
        if near and (there := steps[self._columns["near"][steps]]).size:
            steps = there
        start = self._draw(steps, rng, shape, recent_steps)
        rows = start[:, None, :] + np.arange(-burn_in, length + 1)[None, :, None]
        first, last = self._first[start][:, None, :], self._last[start][:, None, :]
        inside = np.clip(rows, first, last)  # the first and last states are repeated outside
        acted = inside[:, :-1]
        mask = (rows[:, :-1] >= first) & (rows[:, :-1] < last)
        return Windows(
            self._columns["states"][inside],
            self._columns["actions"][acted],
            self._columns["noise"][acted],
            mask.astype(np.float32),
        )

    def all_pairs(self) -> tuple[Any, Any]:
        """States `[n, d]` and actions `[n, a]` of all steps."""
        return self._columns["states"][self._acted], self._columns["actions"][self._acted]

    def all_transitions(self) -> tuple[Any, Any, Any]:
        """States, actions and next states, `[n, ...]`, of all steps that led to a known state."""
        return self._followed(self._led_on)

    def changes(self) -> FloatArray:
        """`[n, d]`, the change of state of every transition."""
        states, _, after = self.all_transitions()
        changes: FloatArray = after - states
        return changes

    @property
    def _led_on(self) -> NDArray[np.int64]:
        """Rows of the steps whose next state is known."""
        return self._acted[self._acted < self._last[self._acted]]

    def _followed(self, rows: NDArray[np.int64]) -> tuple[Any, Any, Any]:
        states = self._columns["states"]
        return states[rows], self._columns["actions"][rows], states[rows + 1]

    @staticmethod
    def _draw(
        rows: NDArray[np.int64], rng: np.random.Generator, shape: tuple[int, ...], recent_steps: int | None
    ) -> NDArray[np.int64]:
        rows = rows if recent_steps is None else rows[-recent_steps:]
        return rows[rng.integers(len(rows), size=shape)]

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        rows = slice(0, self._rows)
        columns = {name: column[rows] for name, column in self._columns.items()}
        return {"columns": columns, "first": self._first[rows], "last": self._last[rows], "acted": self._acted}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave.

        Raises:
            ValueError: its arrays do not fit those that are held.
        """
        rows = len(state["first"])
        columns = {"near": np.ones(rows, bool), **state["columns"]}  # old checkpoints have none
        wanted = {name: (rows, *column.shape[1:]) for name, column in self._columns.items()}
        found = {name: np.shape(column) for name, column in columns.items()}
        if found != wanted or np.shape(state["last"]) != (rows,) or np.ndim(state["acted"]) != 1:
            raise ValueError(f"replay: expected columns of {wanted}, found {found}")
        self._columns = {name: np.array(column) for name, column in columns.items()}
        self._first, self._last = np.array(state["first"]), np.array(state["last"])
        self._acted, self._rows = np.array(state["acted"]), len(state["first"])


def _doubled(column: Array) -> Array:
    return np.concatenate([column, np.zeros((max(len(column), 1024), *column.shape[1:]), column.dtype)])


def mixed_windows(
    demonstrations: Replay,
    replay: Replay,
    demo_fraction: float,
    rng: np.random.Generator,
    shape: tuple[int, int],
    length: int,
    burn_in: int,
    recent_steps: int | None = None,
    near: bool = False,
) -> Windows:
    """Windows from demonstrations and from replay, side by side in each batch.

    Args:
        demonstrations: the ones come from.
        replay: the others come from.
        demo_fraction: of the former in a batch, rounded to whole windows.
        rng: draws them.
        shape: `(K, B)`.
        length: as for `Replay.windows`.
        burn_in: as for `Replay.windows`.
        recent_steps: as for `Replay.windows`, of replay.
        near: as for `Replay.windows`, of replay.
    """
    steps, batch = shape
    from_expert = round(batch * demo_fraction)
    drawn = []
    if from_expert:
        drawn.append(demonstrations.windows(rng, (steps, from_expert), length, burn_in))
    if from_expert < batch:
        drawn.append(replay.windows(rng, (steps, batch - from_expert), length, burn_in, recent_steps, near))
    fields = ("states", "actions", "noise", "mask")
    return Windows(*(np.concatenate([getattr(w, name) for w in drawn], axis=2) for name in fields))
