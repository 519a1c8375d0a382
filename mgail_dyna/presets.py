"""Values per environment: data only. What is not named here is the dataclass's own default."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import unknown_name

# Short names for the command line. Any other Gymnasium id is taken as it is.
ENVIRONMENTS = {
    "cartpole": "CartPole-v1",
    "hopper": "Hopper-v5",
    "halfcheetah": "HalfCheetah-v5",
    "walker2d": "Walker2d-v5",
    "ant": "Ant-v5",
    "swimmer": "Swimmer-v5",
    "inverteddoublependulum": "InvertedDoublePendulum-v5",
}

EXPERTS: dict[str, dict[str, Any]] = {
    "CartPole-v1": {"steps": 100_000, "evaluate_every": 20_000, "length": 1_000},
    "Hopper-v5": {
        "steps": 1_000_000,
        "evaluate_every": 25_000,
        "finalists": 8,
        "trust_region": {"kl_limit": 0.02},
    },
    "HalfCheetah-v5": {"environments": 8, "rollout": 256, "trust_region": {"kl_limit": 0.04}},
    "Walker2d-v5": {
        "steps": 1_500_000,
        "evaluate_every": 50_000,
        "finalists": 5,
        "trust_region": {"kl_limit": 0.02},
    },
}

# The paper's own constants (sec. 4, 5); what it leaves open stays at the dataclass's default.
PAPER: dict[str, Any] = {
    "cost": "saturating",
    "rounds": 1,
    "final_learning_rate": 1.0,
    "policy": {"averaging": 0.0, "acting_averaging": 0.0, "learning_rate": 1e-4, "state_clip_norm": None},
    "discriminator": {
        "whitening": 0.0,
        "steps": 50,
        "learning_rate": 1e-4,
        "gradient_penalty": 0.0,
        "newest_share": 1.0,
        "imagined_share": 0.0,
    },
    "transition": {"steps": 100, "expert_share": 0.0},
    "learn": {"steps": 50, "length": 10},
    "plan": {"steps": 50, "length": 10, "expert_share": 0.0},
    "rollout": {"steps": 1_000, "starts": "reset", "reset_length": 1_000},
}

# Where nothing was tuned for the environment: whole episodes and long plans, as falls come late, from where the agent
# has been lately, as falls that nothing can mend come early.
OTHERS: dict[str, Any] = {
    "env_steps": 30_000,
    "plan": {"length": 20, "newest": 5_000},
    "rollout": {"expert_share": 0.5, "expert_length": 100, "reset_length": 1_000},
}

# What learned soonest, per environment: dyna and mgail.
TUNED: dict[str, dict[str, Any]] = {
    "CartPole-v1": {
        "env_steps": 2_000,
        "rounds": 10,
        "policy": {"state_clip_norm": None},
        "discriminator": {"whitening": 1.0},
        "learn": {"length": 10, "newest": None},
        "plan": {"expert_share": 0.25},
        "rollout": {"steps": 50, "starts": "reset", "reset_length": 150},
    },
    "Hopper-v5": {**OTHERS, "env_steps": 12_000, "plan": {"length": 50}},
    "HalfCheetah-v5": {
        "env_steps": 12_000,
        "plan": {"expert_share": 1.0},
        "cloning": {
            "batch": 1_024,
            "steps": 40_000,
            "held_out_ratio": 4.0,
            "noise_std": 0.3,
            "anchor": 10.0,
            "plan_length": 20,
        },
    },
}

# MGAIL, over those: few rounds between which it acts, so that D sees what the policy has become. Dyna-AIL imagines that
# instead.
MGAIL: dict[str, Any] = {
    "rounds": 8,
    "evaluate_every": 4,
    "policy": {"state_clip_norm": None},
    "discriminator": {"whitening": 1.0, "gradient_penalty": 0.5, "newest_share": 0.4, "imagined_share": 0.0},
    "learn": {"steps": 60, "newest": 8_000},
}
MGAIL_TUNED: dict[str, dict[str, Any]] = {
    "CartPole-v1": {
        "env_steps": 6_000,
        "rounds": 3,
        "policy": {"state_clip_norm": 10.0},
        "discriminator": {
            "gradient_penalty": 0.5,
            "steps": 60,
            "learning_rate": 1e-3,
            "newest_share": 0.1,
            "imagined_share": 0.0,
        },
        "learn": {"steps": 100, "length": 10, "newest": None},
        "rollout": {"steps": 100, "reset_length": 500},
    },
    "Hopper-v5": {**MGAIL, "rounds": 12, "env_steps": 30_000},
    "HalfCheetah-v5": {**MGAIL, "env_steps": 30_000},
}

# Over what was tuned, where the simulator cannot be put into the demonstrations' states, as no real environment can; by
# mode and environment.
RESET: dict[str, Any] = {"rollout": {"starts": "reset"}}
RESET_TUNED: dict[str, dict[str, dict[str, Any]]] = {
    "dyna": {"HalfCheetah-v5": {"env_steps": 20_000, "rollout": {"starts": "reset", "reset_length": 100}}}
}

IMITATION_PRESETS = ("tuned", "reset", "paper")

# The trust-region modes, whatever the environment: networks and step as the expert trainer has them, the reward of Ho &
# Ermon 2016 (-log D, which pays for staying alive), the discriminator on the newest rollout.
TRUST_REGION: dict[str, Any] = {
    "cost": "saturating",
    "rounds": 1,
    "env_steps": 2_000_000,
    "evaluate_every": 20,
    "final_learning_rate": 1.0,
    "policy": {"hidden": (64, 64), "activation": "tanh", "noise_std": 1.0, "train_noise": True},
    "discriminator": {"whitening": 0.0, "steps": 16, "newest_share": 1.0, "imagined_share": 0.0},
    "transition": {"steps": 100},
    "plan": {"steps": 1, "batch": 256, "expert_share": 0.0},
    "rollout": {"steps": 2_048, "starts": "reset"},
    "trust_region": {"kl_limit": 0.02},
}
# In every environment, unless the paper's constants are asked for.
TRUST_REGION_EVERYWHERE: dict[str, Any] = {"discriminator": {"gradient_penalty": 0.5}}
TRUST_REGION_TUNED: dict[str, dict[str, Any]] = {
    "CartPole-v1": {"env_steps": 100_000, "evaluate_every": 5},
    "Hopper-v5": {"env_steps": 1_000_000, "trust_region": {"kl_limit": 0.01}},
    "HalfCheetah-v5": {"trust_region": {"kl_limit": 0.04}},
}
# Planning takes fewer: longer runs have nothing left to show.
DYNA_TRPO_TUNED: dict[str, dict[str, Any]] = {"CartPole-v1": {}}
DYNA_TRPO: dict[str, Any] = {"env_steps": 500_000}
CLONING: dict[str, Any] = {"evaluate_every": 5, "rollout": {"starts": "reset"}}


def _without_planning(config: ImitationConfig) -> ImitationConfig:
    discriminator = replace(config.discriminator, imagined_share=0.0)
    return replace(config, plan=replace(config.plan, steps=0), discriminator=discriminator)


# What a mode does to a configuration: MGAIL is Dyna-AIL that never plans. Agents: `algorithms.modes.BUILDERS`.
MODES: dict[str, Callable[[ImitationConfig], ImitationConfig]] = {
    "dyna": lambda config: config,
    "mgail": _without_planning,
    "dyna-trpo": lambda config: config,
    "gail": _without_planning,
    "bc": _without_planning,
}

# Of the policy: how a gradient through the graph is followed, and the averages that act.
_THROUGH_THE_GRAPH = (
    "discount",
    "rounds",
    *(f"policy.{name}" for name in ("learning_rate", "averaging", "acting_averaging", "clip_norm", "state_clip_norm")),
)
_BEGUN_AS_A_CLONE = tuple(
    f"cloning.{name}"
    for name in ("wait", "pace", "noise_std", "anchor", "plan_length", "expert_share", "held_out_ratio")
)
_COPIES = ("rollout.copies", "rollout.memory")
_EPISODES = tuple(f"rollout.{name}" for name in ("starts", "expert_share", "reset_length", "expert_length"))
_BY_TRUST_REGION = ("learn", "cloning", "warm_start", "discriminator.imagined_share", *_THROUGH_THE_GRAPH, *_EPISODES)

# Per mode: what no result of it depends on, of a configuration: fields and `group.field`s.
UNUSED: dict[str, tuple[str, ...]] = {
    "dyna": ("trust_region", *_COPIES),
    "mgail": (
        "plan",
        "trust_region",
        "discriminator.imagined_share",
        "cloning.expert_share",
        "cloning.plan_length",
        *_COPIES,
    ),
    "dyna-trpo": _BY_TRUST_REGION,
    "gail": ("transition", "plan", *_BY_TRUST_REGION),
    "bc": (
        *("discriminator", "transition", "learn", "plan", "rollout", "trust_region", "warm_start", "cost", "env_steps"),
        "policy.train_noise",
        *_BEGUN_AS_A_CLONE,
        *_THROUGH_THE_GRAPH,
    ),
}

# Per mode: what it needs whatever the environment and the preset.
NEEDED: dict[str, dict[str, Any]] = {"gail": TRUST_REGION, "dyna-trpo": TRUST_REGION, "bc": CLONING}

# Per mode: what was tuned, a later layer over an earlier one; each by environment, and what holds for those not named.
_Layer = tuple[dict[str, dict[str, Any]], dict[str, Any]]
_TUNED_BY_MODE: dict[str, tuple[_Layer, ...]] = {
    "dyna": ((TUNED, OTHERS),),
    "mgail": ((TUNED, OTHERS), (MGAIL_TUNED, MGAIL)),
    "dyna-trpo": (({}, TRUST_REGION_EVERYWHERE), (TRUST_REGION_TUNED, {}), (DYNA_TRPO_TUNED, DYNA_TRPO)),
    "gail": (({}, TRUST_REGION_EVERYWHERE), (TRUST_REGION_TUNED, {})),
    "bc": (),
}


def imitation_preset(name: str, env_id: str, mode: str = "dyna") -> ImitationConfig:
    """How `env_id` is imitated unless told otherwise.

    Args:
        name: "tuned"; "reset": the same without simulator states of the demonstrations; or "paper": the paper's
            constants below those the mode needs.
        env_id: a Gymnasium id, or a short name.
        mode: a name in `MODES`.

    Raises:
        UserError: no such preset or mode.
    """
    check_names(name, mode)
    env_id = environment_id(env_id)
    needed = NEEDED.get(mode, {})
    tuned = [by_environment.get(env_id, otherwise) for by_environment, otherwise in _TUNED_BY_MODE[mode]]
    reset = RESET_TUNED.get(mode, {}).get(env_id, RESET)
    layers = {"tuned": (needed, *tuned), "reset": (needed, *tuned, reset), "paper": (PAPER, needed)}[name]
    return MODES[mode](functools.reduce(_filled, layers, ImitationConfig(env=env_id)))


def _filled(config: Any, values: dict[str, Any]) -> Any:
    """`config` with `values` in place of its own, group by group."""
    new = {
        key: _filled(getattr(config, key), value) if isinstance(value, dict) else value for key, value in values.items()
    }
    return replace(config, **new)


def check_names(preset: str, mode: str) -> None:
    """Tells a preset or a mode that does not exist.

    Raises:
        UserError: with the names that do.
    """
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    if preset not in IMITATION_PRESETS:
        raise unknown_name("preset", preset, IMITATION_PRESETS)


def unused_names(mode: str, warm_start: str) -> tuple[str, ...]:
    """Fields and groups of a configuration that no result of `mode` depends on, with or without a clone to begin as."""
    return (*UNUSED.get(mode, ()), *(("cloning",) if mode != "bc" and warm_start == "none" else ()))


def unused(mode: str, key: str, warm_start: str) -> bool:
    """Whether no result of `mode` depends on `key`: a field of the configuration, or `group.field`."""
    names = unused_names(mode, warm_start)
    return key in names or key.partition(".")[0] in names


def environment_id(name: str) -> str:
    """The Gymnasium id for a short name; any other name is an id already."""
    return ENVIRONMENTS.get(name.lower(), name)


def environment_name(env_id: str) -> str:
    """The short name for a Gymnasium id, or a name made from it: no version, no capitals."""
    short = {long: name for name, long in ENVIRONMENTS.items()}
    return short.get(env_id) or re.sub(r"[/:]", "-", env_id.rpartition("-v")[0] or env_id).lower()


def expert_preset(env_id: str) -> ExpertConfig:
    """How an expert for `env_id` is trained unless told otherwise."""
    config: ExpertConfig = _filled(ExpertConfig(env=env_id), EXPERTS.get(env_id, {}))
    return config
