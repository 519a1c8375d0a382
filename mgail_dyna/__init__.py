"""Adversarial imitation learning by planning: Dyna-AIL and MGAIL.

    import gymnasium, mgail_dyna

    expert = mgail_dyna.load_expert("halfcheetah")
    config = mgail_dyna.imitation_preset("tuned", "HalfCheetah-v5")
    agent = mgail_dyna.DynaAgent(config, gymnasium.make("HalfCheetah-v5"), expert)
    while agent.env_steps < config.env_steps:
        metrics = agent.iterate()
    action = agent.act(observation)

TensorFlow is imported with the first name that needs it.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "CloningAgent": "mgail_dyna.algorithms.bc",
    "DynaAgent": "mgail_dyna.algorithms.dyna",
    "DynaTrustRegionAgent": "mgail_dyna.algorithms.dyna_trpo",
    "Expert": "mgail_dyna.expert",
    "ExpertConfig": "mgail_dyna.config.expert",
    "ExpertTrainer": "mgail_dyna.experts.trainer",
    "GailAgent": "mgail_dyna.algorithms.gail",
    "ImitationConfig": "mgail_dyna.config.imitation",
    "ImitationRun": "mgail_dyna.training",
    "NumpyPolicy": "mgail_dyna.acting",
    "Trajectory": "mgail_dyna.types",
    "UserError": "mgail_dyna.errors",
    "imitation_preset": "mgail_dyna.presets",
    "load_expert": "mgail_dyna.expert_data",
    "load_policy": "mgail_dyna.runs",
    "save_expert": "mgail_dyna.expert_writer",
    "save_policy": "mgail_dyna.runs",
    "subset": "mgail_dyna.expert",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mgail_dyna' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
