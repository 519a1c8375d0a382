"""The environment that demonstrations were recorded in, compared with the one they are used in.

The rule: spaces that differ, and actions outside the space, are refused (`compatibility.check_compatible`). Another id,
other keyword arguments, other wrappers, other bounds of observations or another time limit are a note each, as they can
be meant. What a file does not record is not compared.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.metadata import JOINED, METADATA_FILE, RESERVED, read_metadata
from mgail_dyna.demonstrations.reader import locate
from mgail_dyna.environments.make import PARTS, check_env_name, without_limit, wrapper_names
from mgail_dyna.environments.spaces import parts_of
from mgail_dyna.errors import UserError
from mgail_dyna.types import BOUNDLESS, Array

# Wrappers of `make_env`, which make observations and actions fit.
_FITTING = ("Chosen", "FlattenObservation", "Numbered")
# Wrappers whose numbers depend on everything they have seen.
_WITH_STATISTICS = ("NormalizeObservation", "NormalizeReward")
# Wrappers that change neither observations nor actions nor rewards.
_WATCHING = frozenset(
    {"OrderEnforcing", "PassiveEnvChecker", "RecordEpisodeStatistics", "RecordVideo", "RenderCollection"}
    | {"HumanRendering", "DataCollector", "TimeLimit"}
)


def same_environment(recorded: str | None, env_id: str) -> bool:
    """Whether two ids name one environment: `module:Id` is recorded as `Id` by Gymnasium."""
    if recorded is None:
        return False
    modules = {module for module, colon, _ in (recorded.rpartition(":"), env_id.rpartition(":")) if colon}
    return recorded.rpartition(":")[2] == env_id.rpartition(":")[2] and len(modules) < 2


def recorded_module(where: Path) -> str | None:
    """The module that the recorded environment comes from; None if it is not recorded, or Gymnasium's own."""
    metadata = (where if where.is_dir() else where.parent) / METADATA_FILE
    module = ((read_metadata(metadata).entry_point if metadata.exists() else None) or "").partition(":")[0]
    return None if module.partition(".")[0] in ("", "gymnasium") else module


def check_env_of(env_id: str, demonstrations: Iterable[str | Path]) -> None:
    """As `check_env_name`; for an unknown id, files of demonstrations that record one like it, of a module, are named.

    Raises:
        UserError: there is no such environment.
    """
    try:
        check_env_name(env_id)
    except UserError:
        for name in demonstrations:
            recorded = _id_with_module(name)
            if recorded and recorded != env_id and difflib.get_close_matches(env_id, [recorded, *recorded.split(":")]):
                said = f"unknown environment '{env_id}'; {name} records {recorded}: --env {recorded}"
                raise UserError(said) from None
        raise


def _id_with_module(name: str | Path) -> str | None:
    """The id that a file of demonstrations records, as `module:Id`; None if it names no module, or cannot be read."""
    with contextlib.suppress(UserError):  # reading it will say why
        where = locate(name)
        metadata = (where if where.is_dir() else where.parent) / METADATA_FILE
        env_id = read_metadata(metadata).env_id if metadata.exists() else None
        if env_id is not None and ":" not in env_id and (module := recorded_module(where)):
            return f"{module}:{env_id}"
        return env_id if env_id is not None and ":" in env_id else None
    return None


def environment_arguments(demos: Demonstrations, env_id: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
    """Arguments to make the environment with: its own, and the parts that observations were joined from (`PARTS`).

    Args:
        demos: the demonstrations.
        env_id: to be made.
        asked: by the user; None: those the demonstrations were recorded with, if they are of the same environment.
    """
    if asked is None:
        asked = demos.env_kwargs if same_environment(demos.env_id, env_id) else {}
    joined = demos.provenance.get(JOINED)
    return {**asked, **({PARTS: joined} if parts_of(joined) else {})}


def own_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Those `arguments` of `make_env` that are the environment's own."""
    return {name: value for name, value in arguments.items() if name != PARTS}


def with_own(arguments: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`arguments` of `make_env` with others of the environment's `own`; the parts of observations stay."""
    return {**own, **{name: value for name, value in arguments.items() if name == PARTS}}


def parse_arguments(text: str | None, flag: str = "--env-kwargs") -> dict[str, Any] | None:
    """Keyword arguments from JSON; None if there is no text.

    Raises:
        UserError: no JSON object, or a name that `gymnasium.make` itself uses.
    """
    if text is None:
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{flag}: expected a JSON object such as '{{\"g\": 1.6}}', found {text!r} ({error})") from None
    if not isinstance(given, dict):
        raise UserError(f"{flag}: expected a JSON object such as '{{\"g\": 1.6}}', found {text!r}")
    if taken := sorted(RESERVED & given.keys()):
        raise UserError(f"{flag}: expected arguments of the environment itself, found {', '.join(taken)}")
    return given


def recorded_with(demos: Demonstrations) -> str:
    """The recorded keyword arguments and wrappers in a few words; empty if there are none."""
    arguments = ", ".join(f"{name}={_text(value)}" for name, value in demos.env_kwargs.items())
    return " through ".join(filter(None, [arguments, ", ".join(_changing(demos.env_wrappers))]))


def environment_notes(demos: Demonstrations, env: gym.Env[Any, Any], env_id: str) -> list[str]:
    """Everything recorded but the time limit (`time_note`) that differs from the environment, as one note each.

    Args:
        demos: the demonstrations.
        env: made to act in.
        env_id: what it was made from, which Gymnasium keeps without its module.
    """
    notes = [other_env_note(demos, env_id), limit_note(demos)]
    if env.spec is not None and same_environment(demos.env_id, env_id):
        notes += [_arguments_note(demos, env.spec), _wrappers_note(demos, env)]
    notes.append(_bounds_note(demos, env))
    return [note for note in notes if note is not None]


def arguments_used(env: gym.Env[Any, Any], arguments: dict[str, Any]) -> list[str]:
    """A note if an environment was made with recorded `arguments` that are not its defaults."""
    registered = gym.registry[env.spec.id].kwargs if env.spec is not None and env.spec.id in gym.registry else {}
    own = own_arguments(arguments)
    used = ", ".join(f"{k}={_text(v)}" for k, v in own.items() if not _equal(own, registered, k))
    return [f"note: the environment is made with {used}, as it was recorded (--env-kwargs)"] if used else []


def other_env_note(demos: Demonstrations, env_id: str) -> str | None:
    """A note if the demonstrations come from another environment than `env_id`, or do not name theirs.

    Another version counts as another environment: Gymnasium changes dynamics and rewards between versions.
    """
    if demos.env_id is None:
        return (
            f"note: the demonstrations do not name the environment they were recorded in; it is taken to be {env_id}, "
            "also for percentages of the expert"
        )
    if same_environment(demos.env_id, env_id):
        return None
    return f"note: the demonstrations and the expert's return are of {demos.env_id}, and the environment is {env_id}"


def limit_note(demos: Demonstrations) -> str | None:
    """A note if a demonstration is longer than the recorded time limit."""
    longest = max(len(trajectory) for trajectory in demos.trajectories)
    if demos.length is None or longest <= demos.length:
        return None
    return (
        f"note: the recorded time limit is {demos.length:,} steps, and the longest demonstration has {longest:,}; "
        f"episodes last up to {longest:,}"
    )


def _arguments_note(demos: Demonstrations, spec: gym.envs.registration.EnvSpec) -> str | None:
    registered = gym.registry[spec.id].kwargs if spec.id in gym.registry else {}
    recorded, made = {**registered, **demos.env_kwargs}, {**registered, **spec.kwargs}
    theirs, ours = differing(*({k: v for k, v in side.items() if k != "render_mode"} for side in (recorded, made)))
    if not ours:
        return None
    return f"note: the demonstrations were recorded with {theirs}, and the environment is made with {ours}"


def differing(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, str]:
    """What differs between two sets of keyword arguments, as each has it; empty if nothing does."""
    ones, others = [], []
    for name in (name for name in sorted({*one, *other}) if not _equal(one, other, name)):
        mine, theirs = one.get(name), other.get(name)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            first, second = (f"{name}: {text}" for text in differing(mine, theirs))
        else:
            texts = _apart(_json(mine), _json(theirs))
            first, second = (
                f"{name}={text}" if name in side else f"the default {name}"
                for side, text in zip((one, other), texts, strict=True)
            )
        ones.append(first)
        others.append(second)
    return ", ".join(ones), ", ".join(others)


def _equal(one: dict[str, Any], other: dict[str, Any], name: str) -> bool:
    return name in one and name in other and bool(json.loads(_json(one[name])) == json.loads(_json(other[name])))


def _json(value: Any) -> str:
    """A value as JSON, in which tuples, lists and arrays are the same; what JSON has no word for as its name."""
    return json.dumps(value, sort_keys=True, default=lambda other: getattr(other, "tolist", lambda: repr(other))())


def _text(value: Any) -> str:
    return _short(_json(value))


def _short(plain: str) -> str:
    return plain if len(plain) <= 60 else f"{plain[:57]}..."


def _apart(one: str, other: str) -> tuple[str, str]:
    """Two texts, shortened so that they still differ."""
    if one == other or _short(one) != _short(other):
        return _short(one), _short(other)
    at = next(i for i, (mine, theirs) in enumerate(itertools.zip_longest(one, other)) if mine != theirs)
    first, second = (f"{text[:20]} ... {text[at - 10 : at + 20]}" for text in (one, other))
    return first, second


def _wrappers_note(demos: Demonstrations, env: gym.Env[Any, Any]) -> str | None:
    recorded = _changing(demos.env_wrappers)
    made = [name for name in _changing(wrapper_names(env)) if name not in _FITTING or name in recorded]
    if recorded == made:
        return None
    theirs, ours = (", ".join(names) or "no wrappers" for names in (recorded, made))
    remedy = wrappers_remedy(demos, made)
    return f"note: the demonstrations were recorded through {theirs}, and the environment has {ours}{remedy}"


def wrappers_remedy(demos: Demonstrations, made: Sequence[str] = ()) -> str:
    """What to do about recorded wrappers that are not among those `made`; empty if there are none."""
    lacking = [name for name in _changing(demos.env_wrappers) if name not in (*made, *_FITTING)]
    if learning := [name for name in lacking if name in _WITH_STATISTICS]:
        return (
            f"; the running statistics of {', '.join(learning)} are not in the file, so that nothing gives the same "
            "numbers again: record the demonstrations without it"
        )
    if not lacking:
        return ""
    return (
        f"; for the same, register a function that returns the environment in {', '.join(lacking)}, and name it: "
        "--env module:Id"
    )


def _changing(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in _WATCHING]


def _bounds_note(demos: Demonstrations, env: gym.Env[Any, Any]) -> str | None:
    ours, theirs = env.observation_space, demos.observation_space
    if not isinstance(ours, gym.spaces.Box) or ours.shape != theirs.shape:
        return None  # refused elsewhere
    pairs = ((theirs.low, ours.low), (theirs.high, ours.high))
    other = np.any([~np.isclose(_single(one), _single(another)) for one, another in pairs], axis=0)
    if not other.any():
        return None
    i = int(np.argmax(other))
    found, expected = (f"{space.low[i]:g} to {space.high[i]:g}" for space in (theirs, ours))
    return f"note: observation {i} was recorded within {found}, and the environment's lies within {expected}"


def _single(bound: Array) -> Array:
    """Bounds in float32; the largest floats count as none, as some environments write them for it."""
    with np.errstate(over="ignore"):
        single = bound.astype(np.float32)
    return np.where(np.abs(single) >= BOUNDLESS, np.copysign(np.float32(np.inf), single), single)


def time_note(demos: Demonstrations, env: gym.Env[Any, Any]) -> str | None:
    """A note if the environment's time limit is another than that of the demonstrations, or if neither has one."""
    longest = max(len(trajectory) for trajectory in demos.trajectories)
    if env.spec is None:
        return None
    if demos.length is None and gym.spec(env.spec.id).max_episode_steps is None:
        return f"note: {without_limit(longest)}"
    ours = env.spec.max_episode_steps
    if ours is None or demos.length is None or ours == max(demos.length, longest):
        return None
    theirs = max(demos.length, longest)
    return f"note: the demonstrations' episodes last up to {theirs:,} steps, and the environment's up to {ours:,}"
