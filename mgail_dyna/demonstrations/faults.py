"""What looks like a fault of a recording, such as actions beside the wrong states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.environments.spaces import observation_size
from mgail_dyna.errors import counted
from mgail_dyna.normalization import statistics
from mgail_dyna.types import Array, FloatArray

# Steps that are looked at, at most; and fewest for each input, as a regression on fewer says nothing.
MOST, PER_INPUT = 20_000, 10
# An action explains steps much better than another if it leaves less than this share of what the other leaves
# unexplained, and the other leaves at least this share of the whole. On proper data the next action leaves 0.88 at
# least; on shifted data no coordinate is explained better than 0.85 by its own.
MUCH_LESS, UNEXPLAINED = 0.75, 0.005
# Keeps the regression defined where coordinates depend on each other.
RIDGE = 1e-6
# Resets of the environment at which observations are looked at, with seeds from 0.
RESETS = 5


def data_notes(demos: Demonstrations, env: gym.Env[Any, Any] | None = None) -> list[str]:
    """Notes on what looks like a fault of the recording: observations that never vary, values far from all others, as
    these set the units, and actions beside the wrong states.

    Args:
        demos: the demonstrations.
        env: to be imitated in, if it is known; it is reset if some observations never vary.
    """
    notes = []
    if recorded_late(demos):
        notes.append(
            "note: the actions explain the observations much better if moved one step back: were they recorded one "
            "step too late? Action t must be the one that was taken in observation t. Goals that change within an "
            "episode can look the same"
        )
    if choices := _whole_numbers(demos):
        notes.append(
            f"note: all actions are whole numbers ({choices}), and the environment's are continuous: are they numbers "
            "of choices?"
        )
    if which := demos.constant:
        notes.append(_never_vary(demos, which, None if env is None else unseen(demos, env)))
    for each in demos.alone[:3]:
        notes.append(
            f"note: observation {each.coordinate} is {each.value:.6g} in episode {each.episode}, step {each.step}, far "
            f"from all others, which go from {each.low:.6g} to {each.high:.6g}: is it a fault of the recording? The "
            "unit of this observation follows it"
        )
    return notes


def unseen(demos: Demonstrations, env: gym.Env[Any, Any]) -> list[int]:
    """Coordinates of observations that never vary in the demonstrations and have other values at resets of `env`."""
    if not (which := demos.constant):
        return []
    known = demos.observations[0, which]
    first = [np.asarray(env.reset(seed=seed)[0], np.float32)[which] for seed in range(RESETS)]
    other = ~np.isclose(np.stack(first), known, rtol=1e-4, atol=1e-6).all(axis=0)
    return [which[i] for i in np.flatnonzero(other)]


def _never_vary(demos: Demonstrations, which: Sequence[int], differ: Sequence[int] | None) -> str:
    """The note on observations `which` that never vary, of which `differ` do in the environment; None if unknown."""
    size = counted(observation_size(demos.observation_space), "observation")
    shown = differ or which
    named = ", ".join(map(str, shown[:8])) + (", ..." if len(shown) > 8 else "")
    one = len(shown) == 1
    vary, they, have = (
        ("varies", "it varies", "has another value") if one else ("vary", "they vary", "have other values")
    )
    note = f"note: {len(shown)} of {size} never {vary} in the demonstrations (number {named}, counted from 0)"
    remedy = f"the policy cannot learn what {'it means' if one else 'they mean'}; add demonstrations in which {they}"
    if differ:
        return f"{note}, but {have} after resets of the environment: {remedy}"
    if differ is None:
        return f"{note}; if {they} in the environment, as a goal does, {remedy}"
    return f"{note}, nor after resets of the environment"


def recorded_late(demos: Demonstrations) -> bool:
    """Whether actions seem to be recorded one step late.

    Steps s[t + 1] - s[t] are predicted linearly from s[t] and a[t] or a[t + 1], fitted to one half of the steps and
    tried on the other. The next action foretells a goal that changes within the episode, so nothing is wrong if any
    coordinate is explained much better by its own action. Where dynamics are far from linear it shows nothing.
    Actions recorded too early are not looked for: where actuators lag, the action before may explain a step better,
    and rightly.
    """
    if not demos.show_dynamics:
        return False
    mean, unit = statistics(demos.observations)
    before: list[Array] = []
    changes, beside, taken = [], [], 0
    for trajectory in demos.trajectories:
        if (steps := len(trajectory)) < 2:
            continue
        if taken >= MOST:
            break
        taken += steps - 1
        states, actions = (trajectory.observations - mean) / unit, _vectors(demos, trajectory.actions)
        before.append(states[: steps - 1])
        changes.append(np.diff(states, axis=0)[: steps - 1])
        beside.append(np.stack([actions[:-1], actions[1:]], axis=1))
    if sum(map(len, before)) < PER_INPUT * (len(mean) + demos.action.size):
        return False
    states, target, actions = (np.concatenate(parts)[:MOST] for parts in (before, changes, beside))
    own, late = (_unexplained(np.concatenate([states, actions[:, i]], axis=1), target) for i in range(2))
    whole = target[1::2].var(axis=0)
    proper = (whole > 0) & (late >= UNEXPLAINED * whole) & (own <= MUCH_LESS * late)
    much_better = own.sum() >= UNEXPLAINED * whole.sum() and late.sum() <= MUCH_LESS * own.sum()
    return bool(much_better and not proper.any())


def _vectors(demos: Demonstrations, actions: Array | None) -> FloatArray:
    assert actions is not None
    action = demos.action
    if action.kind == "discrete":
        return np.eye(action.size, dtype=np.float32)[actions - action.start]
    return np.asarray((actions - action.center) / action.scale, np.float32)


def _unexplained(inputs: Array, target: Array) -> FloatArray:
    """Of each column of `target [n, d]`, the mean square that `inputs [n, k]` do not explain linearly, `[d]`."""
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1).astype(np.float64)
    fitted, tried = inputs[::2], inputs[1::2]
    square = fitted.T @ fitted + RIDGE * len(fitted) * np.eye(inputs.shape[1])
    left = target[1::2] - tried @ np.linalg.solve(square, fitted.T @ target[::2])
    return np.square(left).mean(axis=0)


def _whole_numbers(demos: Demonstrations) -> str:
    """The first values of continuous actions that are whole numbers throughout, and not all ends of their range."""
    space = demos.action_space
    if not (demos.has_actions and isinstance(space, gym.spaces.Box)):
        return ""
    actions = np.concatenate(demos.actions)
    values = np.unique(actions)
    at_ends = (actions == space.low) | (actions == space.high)
    if values.size == 1 or (values != np.round(values)).any() or at_ends.all():
        return ""
    return ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if values.size > 4 else "")
