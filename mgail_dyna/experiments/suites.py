"""The suites of runs that figures and tables are made of: data only.

A kind is a set of runs that differ in their seed alone. Its runs are recorded under one suite; other suites and figures
can use them too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.experiments.kinds import SHIPPED, DemonstrationSubset, Kind, Run

SEEDS = 5
TASKS = ("cartpole", "hopper", "halfcheetah")
CLONING = "bc"


def _kind(suite: str, task: str, name: str, label: str, flags: str = "") -> Kind:
    """A kind with constants tuned on its task, unless its flags name another preset."""
    mode = name.split("_")[0]
    if "--preset" not in flags:
        flags = f"--preset tuned {flags}"
    return Kind(suite, task, name, label, ("--env", task, "--mode", mode, *flags.split()), mode == CLONING)


def _cloning(task: str) -> Kind:
    return _kind("cloning", task, CLONING, "behavioural cloning")


def _dyna(task: str) -> Kind:
    return _kind("learning", task, "dyna", "Dyna-AIL")


def _mgail(task: str) -> Kind:
    return _kind("learning", task, "mgail", "MGAIL")


def _more_steps(task: str) -> Kind:
    """MGAIL with Dyna-AIL's env steps and at least its policy gradient steps per env step.

    The gradient steps are doubled where MGAIL's rollouts are longer than Dyna-AIL's: an iteration finishes its last
    episode, so it can take twice the configured env steps. They are at least twice those of MGAIL's preset.
    """
    dyna, mgail = (imitation_preset("tuned", task, mode) for mode in ("dyna", "mgail"))
    rate = dyna.updates_per_iteration * (dyna.learn.steps + dyna.plan.steps) / dyna.rollout.steps
    overrun = 1 if mgail.rollout == dyna.rollout else 2
    updates = max(2 * mgail.updates_per_iteration, math.ceil(overrun * rate * mgail.rollout.steps / mgail.learn.steps))
    flags = f"--updates-per-iteration {updates} --env-steps {dyna.env_steps}"
    return _kind("control", task, "mgail_more_steps", "MGAIL, more gradient steps", flags)


def _planning_apart(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL with one of its two uses of imagination: plans (Eq. 8), or imagined pairs for D (Eq. 6).

    Without imagined pairs, half of the agent's pairs that D sees are recent real ones. Without plans, learning takes
    the gradient steps that planning had.
    """
    config = imitation_preset("tuned", task)
    plans = "--discriminator.imagined-fraction 0 --discriminator.recent-fraction 0.5"
    pairs = f"--plan.steps 0 --learn.steps {config.learn.steps + config.plan.steps}"
    return (
        _kind("control", task, "dyna_plans_only", "Dyna-AIL, plans only", plans),
        _kind("control", task, "dyna_pairs_only", "Dyna-AIL, imagined pairs only", pairs),
    )


def _lengths(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL with the paper's plan lengths and with the preset's own, which is `_dyna`."""
    own = imitation_preset("tuned", task).plan.length
    return tuple(
        replace(_dyna(task), label=f"plans of {length} steps (preset)")
        if length == own
        else _kind("lengths", task, f"dyna_tp{length}", f"plans of {length} steps", f"--plan.length {length}")
        for length in sorted({5, 10, 50, own})
    )


SCARCE = (DemonstrationSubset(11, 20), DemonstrationSubset(4, 20), DemonstrationSubset(1))
NUMBERS = tuple(DemonstrationSubset(number, kept) for kept in (1, 20) for number in (1, 4, 11, 25, SHIPPED))


def _scarce(task: str, mode: str, label: str, demonstrations: DemonstrationSubset) -> Kind:
    name = f"{mode}_{demonstrations.name}"
    return _kind("scarce", task, name, f"{label}, {demonstrations.label}", demonstrations.flags)


def _from_scarce(task: str, mode: str, label: str) -> tuple[Kind, ...]:
    return tuple(_scarce(task, mode, label, demonstrations) for demonstrations in SCARCE)


def _by_number(task: str) -> Iterator[Kind]:
    """Dyna-AIL, MGAIL and cloning with every number of demonstrations."""
    for demonstrations in NUMBERS:
        if demonstrations == DemonstrationSubset(SHIPPED):
            yield from (_dyna(task), _mgail(task), _cloning(task))
        else:
            for mode, label in (("dyna", "Dyna-AIL"), ("mgail", "MGAIL"), (CLONING, "cloning")):
                yield _scarce(task, mode, label, demonstrations)


def _paper(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL and MGAIL with the paper's constants and the tuned MGAIL's budget of env steps."""
    flags = _paper_flags(task)
    return _kind("paper", task, "dyna", "Dyna-AIL", flags), _kind("paper", task, "mgail", "MGAIL", flags)


def _paper_flags(task: str) -> str:
    return f"--preset paper-like --env-steps {imitation_preset('tuned', task, 'mgail').env_steps}"


def _paper_lengths(task: str) -> tuple[Kind, ...]:
    """Figure 5 with the paper's constants; `_paper` adds plans of 10 steps."""
    return tuple(
        _kind(
            "paper",
            task,
            f"dyna_tp{length}",
            f"Dyna-AIL, plans of {length} steps",
            f"{_paper_flags(task)} --plan.length {length}",
        )
        for length in (5, 50)
    )


def _paper_trust_region(task: str) -> tuple[Kind, ...]:
    """Figure 6 with the paper's constants."""
    flags = "--preset paper-like --env-steps 300000"
    return (
        _kind("paper", task, "dyna-trpo", "Dyna-AIL with TRPO", flags),
        _kind("paper", task, "gail", "GAIL", flags),
    )


def _reset(task: str) -> Kind:
    return _kind("reset", task, "dyna", "Dyna-AIL without simulator resets", "--preset reset")


def _recipe(task: str) -> tuple[Kind, ...]:
    """What `python run.py --env TASK` does, and cloning with the same policy."""
    return (
        _kind("tasks", task, "dyna", "Dyna-AIL", "--preset recipe"),
        _kind("tasks", task, CLONING, "behavioural cloning", "--preset recipe"),
    )


def _few(task: str, demonstrations: DemonstrationSubset, env_steps: int | None = None) -> tuple[Kind, ...]:
    """`_recipe` with few demonstrations and, where given, another number of env steps to learn with."""
    flags = demonstrations.flags.split()
    budget = () if env_steps is None else ("--env-steps", str(env_steps))
    return tuple(
        replace(
            kind,
            suite="few",
            name=f"{kind.name}_{demonstrations.name}",
            label=f"{kind.label}, {demonstrations.label}",
            arguments=(*kind.arguments, *flags, *(() if kind.name == CLONING else budget)),
        )
        for kind in _recipe(task)
    )


def _states(task: str, env_steps: int) -> Kind:
    """`_recipe` from one demonstration without its actions."""
    flags = f"--preset recipe --observations-only --demonstrations 1 --env-steps {env_steps}"
    return _kind("states", task, "dyna", "Dyna-AIL, states alone", flags)


def _untuned(task: str) -> Kind:
    return _kind("untuned", task, "dyna", "Dyna-AIL")


def _adam(task: str) -> Kind:
    return _untuned(task) if task in UNTUNED else _dyna(task)


def _natural(task: str) -> Kind:
    return _kind("natural", task, "dyna-natural", "Dyna-AIL, natural gradient")


def _switch(task: str, env_steps: int) -> tuple[Kind, ...]:
    """From scratch and from the environment's own reset, so that env steps are all that can be saved.

    The fixed schedule with rollouts of 100 env steps, as adaptive switching takes where it is unsure, shows what the
    decision is worth.
    The budgets are below those of the preset, as adaptive switching makes up to five times as many updates per env
    step.
    """
    flags = f"--preset reset --env-steps {env_steps}"
    return (
        _kind("switch", task, "dyna_fixed", "Dyna-AIL, fixed switching", flags),
        _kind("switch", task, "dyna_fixed_100", "Dyna-AIL, fixed, 100 env steps", f"{flags} --rollout.steps 100"),
        _kind("switch", task, "dyna_adaptive", "Dyna-AIL, adaptive switching", f"{flags} --switch adaptive"),
    )


def _capacity(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL with a smaller dynamics model, with two, and with one without memory."""
    return (
        _adam(task),
        _kind("capacity", task, "dyna_50_units", "50 units", "--dynamics.units 50"),
        _kind("capacity", task, "dyna_2_members", "two models", "--dynamics.members 2"),
        _kind("capacity", task, "dyna_memoryless", "no memory", "--dynamics.memoryless"),
    )


def _trust_region(task: str, flags: str = "") -> tuple[Kind, ...]:
    return (
        _kind("trpo", task, "dyna-trpo", "Dyna-AIL with TRPO", flags),
        _kind("trpo", task, "gail", "GAIL", flags),
        _cloning(task),
    )


CONTINUOUS = ("hopper", "halfcheetah")
UNTUNED = ("walker2d", "Swimmer-v5", "InvertedDoublePendulum-v5")
MORE_TASKS = ("pusher", "invertedpendulum", "ant", "humanoid")

SUITES: dict[str, tuple[Kind, ...]] = {
    # One set of numbers on every task whose expert ships.
    "tasks": tuple(kind for task in (*TASKS, *UNTUNED, *MORE_TASKS) for kind in _recipe(task)),
    # The recipe from one demonstration, whole and every 20th step of it.
    # Walker2d and Ant have the env steps by which they should be at 90%.
    "few": (
        *(kind for task in CONTINUOUS for kind in _few(task, DemonstrationSubset(1))),
        *_few("walker2d", DemonstrationSubset(1), 30_000),
        *_few("ant", DemonstrationSubset(1), 50_000),
        *(kind for task in (*CONTINUOUS, "walker2d") for kind in _few(task, DemonstrationSubset(1, 20))),
    ),
    # The recipe from one demonstration without its actions.
    "states": (
        *(_states(task, 20_000) for task in CONTINUOUS),
        _states("walker2d", 60_000),
        _states("ant", 80_000),
    ),
    "learning": tuple(kind for task in TASKS for kind in (_dyna(task), _mgail(task), _cloning(task))),
    "scarce": tuple(
        kind
        for task in CONTINUOUS
        for mode, label in (("dyna", "Dyna-AIL"), (CLONING, "cloning"))
        for kind in _from_scarce(task, mode, label)
    ),
    "demonstrations": tuple(kind for task in CONTINUOUS for kind in _by_number(task)),
    "reset": tuple(kind for task in CONTINUOUS for kind in (_dyna(task), _reset(task))),
    "paper": (
        *(kind for task in TASKS for kind in _paper(task)),
        *(kind for task in CONTINUOUS for kind in _paper_lengths(task)),
        *_paper_trust_region("hopper"),
    ),
    # Which use of imagination helps: plans, imagined pairs for the discriminator, or both.
    "planning": tuple(
        kind for task in TASKS for kind in (_dyna(task), *_planning_apart(task), _mgail(task), _more_steps(task))
    ),
    # Steps along the natural gradient of the graph, in place of Adam's (the paper's future work).
    "natural": tuple(
        kind for task in (*CONTINUOUS, "walker2d") for kind in (_adam(task), _natural(task), _cloning(task))
    ),
    # The environment queried while the model is unsure, in place of the fixed schedule (the paper's future work).
    "switch": (*_switch("hopper", 4_000), *_switch("halfcheetah", 6_000), *_switch("walker2d", 10_000)),
    # What the size of the dynamics model does to imitation; `benchmarks/model_capacity.py` has its errors.
    "capacity": tuple(kind for task in (*CONTINUOUS, "walker2d") for kind in _capacity(task)),
    # Figure 6 on two more tasks.
    "trpo": (*_trust_region("halfcheetah"), *_trust_region("walker2d", "--env-steps 500000")),
    # Tasks without tuned constants: every number is the default.
    "untuned": tuple(kind for task in UNTUNED for kind in (_untuned(task), _cloning(task))),
}

# The paper's figures.
FIGURES: dict[str, tuple[Kind, ...]] = {
    **{
        name: (_dyna(task), _mgail(task), _more_steps(task), _cloning(task))
        for name, task in zip(("4a", "4b", "4c"), TASKS, strict=True)
    },
    "5a": (*_lengths("hopper"), _cloning("hopper")),
    "5b": (*_lengths("halfcheetah"), _cloning("halfcheetah")),
    "6": _trust_region("hopper"),
}


def everything() -> tuple[Kind, ...]:
    """Every kind of run of every suite and figure, once, though figures give some of them labels of their own."""
    kinds = (kind for group in (*SUITES.values(), *FIGURES.values()) for kind in group)
    return tuple({(kind.suite, kind.task, kind.name): kind for kind in kinds}.values())


def runs_of(kinds: Iterable[Kind], seeds: int) -> list[Run]:
    """Every run of `kinds` with seeds 0 to `seeds - 1`; all kinds' runs with one seed come before the next seed's."""
    kinds = tuple(kinds)
    return [kind.run(seed) for seed in range(seeds) for kind in kinds]
