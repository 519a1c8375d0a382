"""Adversarial imitation learning by planning: Dyna-AIL and MGAIL.

    import mgail_dyna

    demos = mgail_dyna.load_demonstrations("halfcheetah")
    config = mgail_dyna.imitation_preset("recipe", "HalfCheetah-v5")
    agent = mgail_dyna.DynaAgent(config, lambda: mgail_dyna.make_env("HalfCheetah-v5"), demos)
    while agent.env_steps < config.env_steps:
        metrics = agent.iterate()
    action = agent.act(observation)

TensorFlow is imported with the first name that needs it, quietly and with one thread, on the command
line with two where they help. Import and configure TensorFlow before that for other threads or devices.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "Algorithm": "mgail_dyna.algorithms.registry",
    "BCAgent": "mgail_dyna.algorithms.bc",
    "Demonstrations": "mgail_dyna.demonstrations.dataset",
    "DynaAgent": "mgail_dyna.algorithms.dyna",
    "DynaTRPOAgent": "mgail_dyna.algorithms.dyna_trpo",
    "ExpertConfig": "mgail_dyna.config.expert",
    "ExpertTrainer": "mgail_dyna.algorithms.trpo_expert",
    "GailAgent": "mgail_dyna.algorithms.gail",
    "ImitationConfig": "mgail_dyna.config.imitation",
    "ImitationRun": "mgail_dyna.runs.run",
    "Networks": "mgail_dyna.algorithms.networks",
    "NumpyPolicy": "mgail_dyna.networks.numpy_policy",
    "Trajectory": "mgail_dyna.types",
    "UserError": "mgail_dyna.errors",
    "imitation_preset": "mgail_dyna.algorithms.registry",
    "load_demonstrations": "mgail_dyna.demonstrations.reader",
    "load_policy": "mgail_dyna.runs.policies",
    "make_env": "mgail_dyna.environments.make",
    "register": "mgail_dyna.algorithms.registry",
    "register_preset": "mgail_dyna.config.presets",
    "save_demonstrations": "mgail_dyna.demonstrations.writer",
    "save_policy": "mgail_dyna.runs.policies",
    "subset": "mgail_dyna.demonstrations.dataset",
}
__all__ = sorted(_HOMES)
_WITH_TENSORFLOW = ("BCAgent", "DynaAgent", "DynaTRPOAgent", "ExpertTrainer", "GailAgent", "Networks")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mgail_dyna' has no attribute '{name}'")
    if name in _WITH_TENSORFLOW:
        importlib.import_module("mgail_dyna.runtime").import_tensorflow()
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
