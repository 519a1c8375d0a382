"""Presets: `recipe.toml` for every environment, `paper-like.toml` for the paper's constants, and what was tuned.

A file's tables (`[dyna]`, `[mgail]`, ...) hold changes to `ImitationConfig`. What a file does not name keeps the
dataclass's default. TOML has no null: "none" stands for None. One file per environment holds its `id` and, in
`[expert]`, changes to `ExpertConfig`; its other tables go over the recipe's. The directory `tuned` holds constants that
were tuned on single tasks, before there was a recipe.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.errors import UserError, unknown_name

PRESETS = ("recipe", "tuned", "reset", "paper-like")
_NOT_ENVIRONMENTS = ("recipe", "paper-like")
_HERE = Path(__file__).parent
_FILES = {path.stem: path for path in sorted(_HERE.glob("*.toml"))}


def register_preset(path: str | Path) -> str:
    """Adds the preset file of an environment of your own; its stem becomes the environment's short name.

    Returns:
        The short name.

    Raises:
        UserError: no such file, not TOML, or without the environment's `id`.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a preset file in TOML, found none that can be read ({error})") from None
    if not isinstance(content.get("id"), str):
        raise UserError(f"{path}: id: expected the environment's Gymnasium id, found {content.get('id')!r}")
    _FILES[path.stem] = path
    preset_file.cache_clear()
    environments.cache_clear()
    return path.stem


@functools.cache
def preset_file(name: str) -> dict[str, Any]:
    """The content of `<name>.toml`."""
    return tomllib.loads(_FILES[name].read_text(encoding="utf-8"))


@functools.cache
def environments() -> dict[str, str]:
    """Gymnasium ids by short name, as the command line takes them."""
    return {name: preset_file(name)["id"] for name in sorted(_FILES) if name not in _NOT_ENVIRONMENTS}


def environment_id(name: str) -> str:
    """The Gymnasium id for a short name; any other name is an id already."""
    return environments().get(name.lower(), name)


def environment_name(env_id: str) -> str:
    """The short name for a Gymnasium id, or a name made from it: no module, no version, no capitals."""
    short, own = {long: name for name, long in environments().items()}, env_id.rpartition(":")[2]
    return short.get(env_id) or (own.rpartition("-v")[0] or own).replace("/", "-").lower()


def environment_title(name: str) -> str:
    """The name of an environment in figures and tables, for a short name or an id."""
    env_id = environment_id(name)
    return env_id.rpartition("-v")[0] or env_id


def own_section(env_id: str, name: str) -> dict[str, Any]:
    """The table `name` of the environment's file; empty if there is none."""
    short = environment_name(env_id)
    found: dict[str, Any] = preset_file(short).get(name, {}) if short in environments() else {}
    return found


@functools.cache
def _tuned_file(name: str) -> dict[str, Any]:
    path = _HERE / "tuned" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def tuned_section(env_id: str, name: str) -> dict[str, Any]:
    """The table `name` that was tuned on the environment, or that of `tuned/default.toml`; empty if neither has one."""
    tuned: dict[str, Any] = _tuned_file(environment_name(env_id))
    found: dict[str, Any] = tuned.get(name, _tuned_file("default").get(name, {}))
    return found


def apply(config: Any, values: Mapping[str, Any]) -> Any:
    """`config` with `values` in place of its own, group by group."""
    hints = get_type_hints(type(config))

    def value_of(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return apply(getattr(config, key), value)
        if value == "none" and type(None) in get_args(hints[key]):
            return None
        return tuple(value) if isinstance(value, list) else value

    return replace(config, **{key: value_of(key, value) for key, value in values.items()})


def check_preset(name: str) -> None:
    """Checks the name of a preset.

    Raises:
        UserError: there is no such preset; with the names that there are.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)


def layers(
    preset: str,
    env_id: str,
    sections: tuple[str, ...],
    defaults: Mapping[str, Any],
    conditions: tuple[str, ...] = (),
) -> list[Mapping[str, Any]]:
    """What a preset changes, later layers over earlier ones.

    Args:
        preset: "recipe", "tuned", "reset" (as tuned, with episodes from the environment's own reset) or "paper-like".
        env_id: a Gymnasium id.
        sections: of the preset files, as the algorithm uses them; later ones over earlier ones.
        defaults: what the algorithm needs in every environment.
        conditions: kinds of demonstrations; the recipe's sections `SECTION-CONDITION` go over the others.
    """
    if preset == "paper-like":
        return [preset_file("paper-like"), defaults]
    if preset == "recipe":
        recipe = preset_file("recipe")
        names = (*sections, *(f"{section}-{condition}" for condition in conditions for section in sections))
        return [
            defaults,
            *(recipe.get(name, {}) for name in names),
            *(own_section(env_id, name) for name in names),
        ]
    changes = [defaults, *(tuned_section(env_id, name) for name in sections)]
    if preset == "reset":
        own = [tuned_section(env_id, f"{name}-reset") for name in sections[-1:]]
        changes += [{"rollout": {"initial_states": "reset"}}, *own]
    return changes


def expert_preset(env_id: str) -> ExpertConfig:
    """How an expert for `env_id` is trained by default."""
    config: ExpertConfig = apply(ExpertConfig(env=env_id), own_section(env_id, "expert"))
    return config
