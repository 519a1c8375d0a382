"""The registry: one entry per algorithm. `--mode NAME` selects one; `register` adds another.

No entry imports TensorFlow: an agent's class is named as `module:Class` and imported when an agent is built.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mgail_dyna import runtime
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.config.presets import apply, check_preset, environment_id, layers
from mgail_dyna.errors import unknown_name

if TYPE_CHECKING:  # the command line reads the registry before it imports NumPy or Gymnasium
    from mgail_dyna.algorithms.base import Agent, MakeEnv
    from mgail_dyna.algorithms.networks import Networks
    from mgail_dyna.demonstrations.dataset import Demonstrations

    # Makes an agent; every agent's class has this signature.
    AgentFactory = Callable[[ImitationConfig, MakeEnv, Demonstrations], Agent]


@dataclass(frozen=True)
class Algorithm:
    """An algorithm, as the command line, presets, records and tables know it.

    Attributes:
        name: for `--mode`.
        summary: one line for people.
        agent: its agent's class, or "module:Class" to import it late.
        sections: tables of the preset files that apply, later over earlier ones.
        defaults: changes to `ImitationConfig` in every environment, below the presets.
        overrides: changes that always hold, above presets and flags.
        ignored_fields: fields and groups of `ImitationConfig` that no result depends on.
        progress: phrases below the progress bar; one is shown where all of its metrics exist. {T} is the plan length.
        networks: how the agent's networks are made; the agent's own if None.
        threads: that its gradient steps use where there are so many cores. Two are faster where batches are small, and
            change no number; sums over long batches would change.
    """

    name: str
    summary: str
    agent: str | AgentFactory
    sections: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    ignored_fields: tuple[str, ...] = ()
    progress: tuple[str, ...] = ()
    networks: Networks | None = None
    threads: int = 1

    def build(self, config: ImitationConfig, make_env: MakeEnv, demos: Demonstrations) -> Agent:
        """An agent; see `algorithms.base.Agent` for the arguments."""
        factory: Any = self.agent
        runtime.import_tensorflow(self.threads)
        if isinstance(factory, str):
            module, _, name = factory.partition(":")
            factory = getattr(importlib.import_module(module), name)
        networks = {} if self.networks is None else {"networks": self.networks}
        agent: Agent = factory(self.configure(config), make_env, demos, **networks)
        return agent

    def configure(self, config: ImitationConfig) -> ImitationConfig:
        """`config` with the overrides."""
        configured: ImitationConfig = apply(config, self.overrides)
        return configured

    def ignores(self, key: str, warm_start: str) -> bool:
        """Whether no result depends on `key`, a field or `group.field`, with this `warm_start`."""
        names = (*self.ignored_fields, *(("cloning",) if self.name != "bc" and warm_start == "none" else ()))
        return key in names or key.partition(".")[0] in names


ALGORITHMS: dict[str, Algorithm] = {}


def register(algorithm: Algorithm) -> None:
    """Adds an algorithm; one of the same name is replaced."""
    ALGORITHMS[algorithm.name] = algorithm


def algorithm_named(name: str) -> Algorithm:
    """The algorithm called `name`.

    Raises:
        UserError: there is none; with the names that there are.
    """
    if name not in ALGORITHMS:
        raise unknown_name("mode", name, ALGORITHMS)
    return ALGORITHMS[name]


def imitation_preset(
    preset: str, env_id: str, algorithm: str = "dyna", observations_only: bool = False
) -> ImitationConfig:
    """How `env_id` is imitated by default.

    Args:
        preset: "recipe": one for every environment; "tuned": constants tuned on single tasks; "reset": these, with
            episodes from the environment's own reset; or "paper-like": the paper's constants.
        env_id: a Gymnasium id, or a short name.
        algorithm: a name in `ALGORITHMS`.
        observations_only: imitate states alone.

    Raises:
        UserError: no such preset or algorithm.
    """
    entry = algorithm_named(algorithm)
    check_preset(preset)
    env_id = environment_id(env_id)
    conditions = ("observations-only",) if observations_only else ()
    changes = layers(preset, env_id, entry.sections, entry.defaults, conditions)
    start = ImitationConfig(env=env_id, observations_only=observations_only)
    return entry.configure(functools.reduce(apply, changes, start))


_WITHOUT_PLANNING = {"plan": {"steps": 0}, "discriminator": {"imagined_fraction": 0.0}, "switch": "fixed"}
# TRPO on the discriminator's reward: networks and step as for the expert trainer, the reward -log D of Ho & Ermon 2016,
# the discriminator on the newest rollout.
_TRPO = {
    "cost": "saturating",
    "updates_per_iteration": 1,
    "env_steps": 2_000_000,
    "evaluate_every": 20,
    "final_learning_rate": 1.0,
    "policy": {"hidden": (64, 64), "activation": "tanh", "noise_std": 1.0, "train_noise": True},
    "discriminator": {"whitening": 0.0, "steps": 16, "recent_fraction": 1.0, "imagined_fraction": 0.0},
    "dynamics": {"steps": 100},
    "plan": {"steps": 1, "batch": 256, "demo_fraction": 0.0},
    "rollout": {"steps": 2_048, "initial_states": "reset"},
    "trust_region": {"max_kl": 0.02},
}

# Fields that only gradients through the graph, or the averages that act, depend on.
_GRAPH_ONLY = (
    *("discount", "updates_per_iteration", "follow_weight", "plan.ended_length"),
    *(
        f"policy.{name}"
        for name in (
            "learning_rate",
            "averaging",
            "averaging_share",
            "acting_averaging",
            "near_only",
            "clip_norm",
            "bptt_clip_norm",
        )
    ),
)
_SWITCH_ONLY = ("switch", "sure_from")
_WARM_START_ONLY = (
    *(f"cloning.{name}" for name in ("freeze_iterations", "bc_weight", "slow_below", "fewer_updates_below")),
    *(f"cloning.{name}" for name in ("acting_averaging", "reset_length")),
    *(f"cloning.trial_{name}" for name in ("below", "steps", "strayed")),
    *(f"cloning.failed_{name}_length" for name in ("reset", "plan")),
)
_ROLLOUTS_ONLY = ("rollout.num_envs", "rollout.replay_capacity")
_EPISODES_ONLY = (
    *(f"rollout.{name}" for name in ("initial_states", "demo_fraction", "reset_length", "demo_length")),
    *("rollout.ended_length", "rollout.lost_after", "rollout.noise_std"),
)
_IGNORED_BY_TRPO = (
    *("learn", "cloning", "warm_start", "discriminator.imagined_fraction"),
    *_GRAPH_ONLY,
    *_EPISODES_ONLY,
    *_SWITCH_ONLY,
)

# One step costs about as much as five of Adam's.
_NATURAL = {"steps": 6}

_JUDGED = "discriminator right on {discriminator/accuracy:.0%} of pairs (50%: cannot tell agent from expert)"
_MODEL = "model error, in standard deviations: {dynamics/error_1:.2f} after 1 step, {dynamics/error_T:.2f} after {T}"
_SWITCH = "the model is {switch/sureness:.0%} sure of new steps"
_TRUST_REGION = ("KL {policy/kl:.3f}", "value explains {policy/explained_variance:.0%}")

register(
    Algorithm(
        name="dyna",
        summary="Dyna-AIL: learns through the model on real trajectories (Eq. 7) and plans on imagined ones (Eq. 8)",
        agent="mgail_dyna.algorithms.dyna:DynaAgent",
        sections=("dyna",),
        ignored_fields=("trust_region", *_ROLLOUTS_ONLY),
        progress=(_JUDGED, _MODEL, _SWITCH),
        threads=2,
    )
)
register(
    Algorithm(
        name="mgail",
        summary="MGAIL: Dyna-AIL without planning",
        agent="mgail_dyna.algorithms.dyna:DynaAgent",
        sections=("dyna", "mgail"),
        overrides=_WITHOUT_PLANNING,
        ignored_fields=(
            *("plan", "trust_region", "discriminator.imagined_fraction", "cloning.failed_plan_length"),
            *_ROLLOUTS_ONLY,
            *_SWITCH_ONLY,
        ),
        progress=(_JUDGED, _MODEL),
        threads=2,
    )
)
register(
    Algorithm(
        name="dyna-natural",
        summary="Dyna-AIL with natural-gradient steps through the graph, in a trust region (the paper's future work)",
        agent="mgail_dyna.algorithms.dyna_natural:DynaNaturalAgent",
        sections=("dyna",),
        defaults={"learn": _NATURAL, "plan": _NATURAL},
        ignored_fields=(
            *("policy.learning_rate", "policy.clip_norm"),
            *(f"trust_region.{name}" for name in ("final_max_kl", "discount", "gae_lambda")),
            *(f"trust_region.value_{name}" for name in ("epochs", "batch", "learning_rate")),
            *_ROLLOUTS_ONLY,
        ),
        progress=(_JUDGED, _MODEL, _SWITCH),
    )
)
register(
    Algorithm(
        name="gail",
        summary="GAIL: TRPO on the discriminator's reward, no model (Ho & Ermon 2016)",
        agent="mgail_dyna.algorithms.gail:GailAgent",
        sections=("gail",),
        defaults=_TRPO,
        overrides=_WITHOUT_PLANNING,
        ignored_fields=("dynamics", "plan", *_IGNORED_BY_TRPO),
        progress=(_JUDGED, *_TRUST_REGION),
    )
)
register(
    Algorithm(
        name="dyna-trpo",
        summary="GAIL, with the same TRPO step on imagined trajectories (the paper's Fig. 6)",
        agent="mgail_dyna.algorithms.dyna_trpo:DynaTRPOAgent",
        sections=("gail", "dyna-trpo"),
        defaults=_TRPO,
        ignored_fields=_IGNORED_BY_TRPO,
        progress=(_JUDGED, _MODEL, *_TRUST_REGION),
    )
)
register(
    Algorithm(
        name="bc",
        summary="behavioural cloning: regression on the demonstrations, no environment",
        agent="mgail_dyna.algorithms.bc:BCAgent",
        sections=("bc",),
        defaults={"evaluate_every": 5, "rollout": {"initial_states": "reset"}},
        overrides=_WITHOUT_PLANNING,
        ignored_fields=(
            *("discriminator", "dynamics", "learn", "plan", "rollout", "trust_region", "warm_start", "cost"),
            *("env_steps", "policy.train_noise"),
            *_WARM_START_ONLY,
            *_GRAPH_ONLY,
            *_SWITCH_ONLY,
        ),
        progress=("loss {cloning/loss:.2g}",),
        threads=2,
    )
)
