"""Which agent a mode is: one short builder each."""

from __future__ import annotations

from mgail_dyna.algorithms.agent import Agent, Builder, Env, MakeEnv
from mgail_dyna.algorithms.bc import CloningAgent
from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.dyna_trpo import DynaTrustRegionAgent
from mgail_dyna.algorithms.gail import GailAgent
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.expert import Expert


def _dyna(config: ImitationConfig, env: Env, make_env: MakeEnv, expert: Expert) -> Agent:
    del make_env
    return DynaAgent(config, env, expert)


def _gail(config: ImitationConfig, env: Env, make_env: MakeEnv, expert: Expert) -> Agent:
    del env  # episodes go on from one iteration to the next
    return GailAgent(config, [make_env() for _ in range(config.rollout.copies)], expert)


def _dyna_trpo(config: ImitationConfig, env: Env, make_env: MakeEnv, expert: Expert) -> Agent:
    del env
    return DynaTrustRegionAgent(config, [make_env() for _ in range(config.rollout.copies)], expert)


def _bc(config: ImitationConfig, env: Env, make_env: MakeEnv, expert: Expert) -> Agent:
    del env, make_env
    return CloningAgent(config, expert)


# By the names of `presets.MODES`.
BUILDERS: dict[str, Builder] = {"dyna": _dyna, "mgail": _dyna, "gail": _gail, "dyna-trpo": _dyna_trpo, "bc": _bc}
