"""Values per environment: data only. What is not named here is the dataclass's own default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mgail_dyna.config.expert import ExpertConfig, TrustRegionConfig

# Short names for the command line. Any other Gymnasium id is taken as it is.
ENVIRONMENTS = {
    "cartpole": "CartPole-v1",
    "hopper": "Hopper-v5",
    "halfcheetah": "HalfCheetah-v5",
    "walker2d": "Walker2d-v5",
    "ant": "Ant-v5",
}

EXPERTS: dict[str, dict[str, Any]] = {
    "CartPole-v1": {"steps": 100_000, "evaluate_every": 20_000},
    "Hopper-v5": {"steps": 1_500_000, "trust_region": {"kl_limit": 0.02}},
    "HalfCheetah-v5": {"trust_region": {"kl_limit": 0.04}},
    "Walker2d-v5": {"trust_region": {"kl_limit": 0.02}},
}


def environment_id(name: str) -> str:
    """The Gymnasium id for a short name; any other name is an id already."""
    return ENVIRONMENTS.get(name.lower(), name)


def environment_name(env_id: str) -> str:
    """The short name for a Gymnasium id, or a name made from it: no version, no capitals."""
    short = {long: name for name, long in ENVIRONMENTS.items()}
    return short.get(env_id) or env_id.rpartition("-v")[0].replace("/", "-").lower() or env_id.lower()


def expert_preset(env_id: str) -> ExpertConfig:
    """How an expert for `env_id` is trained unless told otherwise."""
    values = dict(EXPERTS.get(env_id, {}))
    trust_region = replace(TrustRegionConfig(), **values.pop("trust_region", {}))
    return ExpertConfig(env=env_id, trust_region=trust_region, **values)
