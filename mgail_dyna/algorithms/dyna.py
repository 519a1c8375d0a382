"""Dyna-AIL (paper, Algorithm 1). Without planning steps and imagined pairs it is MGAIL."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgail_dyna.algorithms.averaging import WeightAverager
from mgail_dyna.algorithms.base import Budget, MakeEnv, mean_metrics, prefixed
from mgail_dyna.algorithms.collector import Collector
from mgail_dyna.algorithms.networks import Networks, demo_replay, network_seeds, numpy_copy, view_of
from mgail_dyna.algorithms.pairs import PairSampler
from mgail_dyna.algorithms.switch import SWITCHES
from mgail_dyna.algorithms.warm_start import Follower, WarmStart
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.compatibility import check_compatible, check_initial_states, check_known
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.learners.discriminator import DiscriminatorLearner, mixing
from mgail_dyna.learners.dynamics import DynamicsLearner
from mgail_dyna.learners.policy import PolicyLearner, Regularizer
from mgail_dyna.learners.views import Pairs
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.replay import Replay, Windows, mixed_windows
from mgail_dyna.types import Array


class DynaAgent:
    """Imitates demonstrations by learning on real trajectories and planning on imagined ones.

    Args:
        config: everything.
        make_env: makes the environment; called once.
        demos: the demonstrations, all of which are imitated (`subset` takes fewer).
        networks: how the networks are made.

    Raises:
        UserError: the demonstrations do not fit the environment, or do not hold what is to be learned from them.
    """

    policy_learner: type[PolicyLearner] = PolicyLearner

    def __init__(
        self, config: ImitationConfig, make_env: MakeEnv, demos: Demonstrations, networks: Networks | None = None
    ) -> None:
        self.config, self.demos, env = config, demos, make_env()
        check_compatible(demos, env, "the demonstrations")
        check_initial_states(demos, config.rollout.initial_states)
        check_known(demos, config, clones=config.warm_start == "bc")
        if config.follow_weight and demos.has_actions:
            raise UserError("--follow-weight: has no effect without --observations-only; leave it out")
        make, action, size = networks or Networks(), demos.action, demos.observation_space.shape[0]
        seeds = network_seeds(config.seed, 3)
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 1]))

        policy, average = (make.policy(action, size, config.policy, seeds[0]) for _ in range(2))
        self.fresh = [np.array(variable) for variable in policy.variables]
        self.averager = WeightAverager(numpy_copy(policy, config.policy, demos), config.rollout.noise_std)
        self.demo_replay = demo_replay(demos, self.acting)
        self.replay = Replay(size, action.size, action.size)
        self.view = view_of(demos, self.demo_replay)
        discriminator = make.discriminator(self.view.every(self.demo_replay), config.discriminator, seeds[1])
        dynamics = make.dynamics(self.demo_replay, config.dynamics, seeds[2])

        self.discriminator = DiscriminatorLearner(discriminator, config.discriminator)
        self.dynamics = DynamicsLearner(dynamics, config.dynamics)
        self.policy = self.policy_learner(policy, average, discriminator, dynamics, action, config, self.view)
        self.collector = Collector(
            env, self.averager.exploring, self.replay, demos, config.rollout, config.env_steps, self.rng
        )
        straying = self.collector.straying
        self.warm_start = WarmStart(config, self.demo_replay, len(demos.trajectories), straying.blind)
        if self.warm_start.trusted:
            straying.ignore_distances()
        self.guide = self.warm_start if demos.has_actions else Follower(config, self.demo_replay)
        self.switch = SWITCHES[config.switch](config, self.foreseen)
        self.idle_env = env if self.switch.every is None else None  # or an episode may be under way
        self.pairs = PairSampler(
            self.demo_replay,
            self.replay,
            config.discriminator,
            config.rollout.steps,
            self.rng,
            self.view,
            lambda shape: self.imagined_pairs(shape, self.rng),
        )

    @property
    def acting(self) -> NumpyPolicy:
        """The policy that is evaluated, see `WeightAverager`."""
        return self.averager.acting

    @property
    def env_steps(self) -> int:
        """Env steps so far."""
        return self.collector.env_steps

    @property
    def budget(self) -> Budget:
        """The run's env steps."""
        return Budget(self.config.env_steps, "env steps")

    @property
    def progress(self) -> float:
        """Share of them taken."""
        return min(self.env_steps / self.config.env_steps, 1.0)

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1; returns scalars named `part/what`. With a warm start, the first one clones.

        D and the policy are each other's moving target, so lines 5 to 9 can be repeated in many short rounds
        (`config.updates_per_iteration`; the paper's is 1).
        """
        if self.warm_start.due:
            return self._start_as_clone()
        first, learning_rate = self.env_steps == 0, self.config.learning_rate_at(self.progress)
        self.switch.begin(self.averager.iterations, self.replay.steps)
        metrics = self._rollout()  # lines 3, 4
        if first:
            self.dynamics.scale(self.demo_replay, self.replay)
        metrics |= prefixed("dynamics", self.model_errors())
        self.warm_start.model_error = metrics.get("dynamics/error_1", np.nan)
        if self.warm_start.holds:
            metrics["cloning/rate"] = self.warm_start.rate(self.collector.straying.share)
        count = self.warm_start.rounds(self.averager.iterations, self.collector.straying.share)
        metrics |= prefixed("switch", self.switch.report(self.collector.recent_steps))
        rounds = [self._update(learning_rate) for _ in range(count)]
        metrics |= prefixed("discriminator", self.imagined_gap())
        self.averager.update(self.policy.average.acting_weights(), self.warm_start.acting_averaging)
        return metrics | mean_metrics(rounds)

    def _update(self, learning_rate: float) -> dict[str, float]:
        scale = self.warm_start.lr_scale(self.averager.iterations, self.collector.straying.share)
        policy_rate = learning_rate * scale
        frozen = policy_rate == 0.0
        return {
            **prefixed("discriminator", self.update_discriminator(learning_rate)),  # line 5
            **prefixed("learn", {} if frozen else self.learn(policy_rate)),  # line 6
            **prefixed("dynamics", self.update_dynamics(learning_rate)),  # line 7
            **prefixed("plan", {} if frozen else self.plan(policy_rate)),  # lines 8, 9
        }

    def update_discriminator(self, learning_rate: float) -> dict[str, float]:
        """Line 5: D separates the agent's pairs from the demonstrations' (Eq. 6)."""
        config = self.config.discriminator
        agent, expert = self.pairs.agent(), self.pairs.expert()
        return self.discriminator(agent, expert, mixing(self.rng, config.steps, config.batch), learning_rate)

    def learn(self, learning_rate: float) -> dict[str, float]:
        """Line 6: the policy learns on real trajectories (Eq. 7)."""
        config = self.config.learn
        if not config.steps:
            return {}
        shape, burn_in = (config.steps, config.batch), self.config.dynamics.burn_in
        near = self.config.policy.near_only
        windows = self.replay.windows(self.rng, shape, config.length, burn_in, config.recent_steps, near)
        return self.policy.learn(windows, learning_rate, self._regularizer(config.steps))

    def update_dynamics(self, learning_rate: float) -> dict[str, float]:
        """Line 7: the model fits replay and demonstrations (Eq. 5)."""
        config = self.config.dynamics
        demo_fraction = config.demo_fraction if self.demos.show_dynamics else 0.0
        sources, shape = (self.demo_replay, self.replay), (config.steps, config.batch)
        windows = mixed_windows(*sources, demo_fraction, self.rng, shape, config.length, config.burn_in, None)
        return self.dynamics(windows, learning_rate)

    def plan(self, learning_rate: float) -> dict[str, float]:
        """Lines 8, 9: the policy learns on imagined trajectories (Eq. 8). The environment is not touched."""
        config = self.config.plan
        if not config.steps:
            return {}
        windows = self._plan_starts((config.steps, config.batch), self.rng)
        noise = self.acting.head.noise(self.rng, (config.steps, self.plan_length, config.batch))
        return self.policy.plan(windows, noise, learning_rate, self._regularizer(config.steps))

    @property
    def plan_length(self) -> int:
        """Tp of the next plans."""
        return self.warm_start.plan_length(self.collector.ended)

    def imagined_pairs(self, shape: tuple[int, int], rng: np.random.Generator) -> Pairs:
        """What D judges, `[*shape, ...]`, from plans under the current policy."""
        length, wanted = self.plan_length, shape[0] * shape[1]
        judged = length - self.view.blind
        batch = -(-wanted // judged)
        noise = self.acting.head.noise(rng, (length, batch))
        imagined = self.view.along(*self.policy.imagine(self._plan_starts((1, batch), rng), noise))
        rows = rng.permutation(judged * batch)[:wanted].reshape(shape)
        states, beside = (array.reshape(-1, array.shape[-1])[rows] for array in imagined)
        return states, beside

    def model_errors(self) -> dict[str, float]:
        """How far the model is off on the newest env steps, which it has not been trained on yet."""
        config, horizon = self.config.dynamics, self.config.plan.length
        unseen = min(self.collector.recent_steps, self.config.rollout.steps)
        return self.dynamics.errors(self.replay.windows(self.rng, (1, config.batch), horizon, config.burn_in, unseen))

    def foreseen(self, rng: np.random.Generator, steps: int | None) -> float:
        """How much the model foresees along a plan in the newest `steps` env steps, in all if None."""
        config, horizon = self.config.dynamics, self.config.plan.length
        return self.dynamics.foreseen(self.replay.windows(rng, (1, config.batch), horizon, config.burn_in, steps))

    def imagined_gap(self) -> dict[str, float]:
        """D's mean logit on the newest real pairs, less that on imagined ones: large if the model flatters the policy.

        It draws from a generator of its own, so that training is the same without it.
        """
        config = self.config.discriminator
        shape = config.steps, round(config.batch * config.imagined_fraction)
        if not shape[1]:
            return {}
        rng = np.random.default_rng(np.random.SeedSequence([self.config.seed, 3, self.averager.iterations]))
        real = self.view.draw(self.replay, rng, shape, self.collector.recent_steps)
        on_real, on_imagined = (
            self.discriminator.mean_logit(pairs) for pairs in (real, self.imagined_pairs(shape, rng))
        )
        return {"imagined_gap": on_real - on_imagined}

    def act(self, observations: Array) -> Array:
        """The acting policy's mean actions, as executed, for raw `observations [..., d]`."""
        return self.acting.act(observations)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "discriminator": self.discriminator.state(),
            "dynamics": self.dynamics.state(),
            "policy": self.policy.state(),
            "replay": self.replay.state(),
            "rng": self.rng.bit_generator.state,
            "iterations": self.averager.iterations,
            "acting": self.acting.state(),
            "cloned": self.warm_start.cloned,
            "kept": self.warm_start.kept,
            **self.collector.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; configuration and demonstrations must be the same."""
        for name in ("discriminator", "dynamics", "policy", "replay"):
            getattr(self, name).restore(state[name])
        self.rng.bit_generator.state = state["rng"]
        self.averager.iterations = int(state["iterations"])
        self.warm_start.cloned, kept = bool(state["cloned"]), state.get("kept")  # old checkpoints have none
        self.warm_start.kept = None if kept is None else bool(kept)
        self.averager.explore(self.policy.average.acting_weights())
        self.acting.load(state["acting"]["weights"])
        self.collector.restore(state)

    def _start_as_clone(self) -> dict[str, float]:
        metrics = self.warm_start.clone(self.policy.network, self.acting, self.demos)
        for average, learned in zip(self.policy.average.variables, self.policy.network.variables, strict=True):
            average.assign(learned)
        self.averager.explore(self.acting.weights)
        return prefixed("cloning", metrics | {"seen": self.collector.straying.seen})

    def _rollout(self) -> dict[str, float]:
        """Acts in the environment. A clone on trial is judged first; one that is kept then plays whole episodes."""
        trial = self._trial() if self.warm_start.on_trial else {}
        if trial and (not self.warm_start.holds or self.progress == 1.0):
            return trial
        self.collector.length = self.warm_start.reset_length(self.collector.ended)
        return trial | prefixed("rollout", self.collector.collect(self.switch.every, self.switch.enough))

    def _trial(self) -> dict[str, float]:
        """Plays the clone's trial; if it strays too much, the policy is as if there had been no clone."""
        straying = self.collector.straying
        before, self.collector.length = straying.share, self.warm_start.reset_length(self.collector.ended)
        steps = min(self.config.cloning.trial_steps, self.config.env_steps // 10)
        metrics = prefixed("rollout", self.collector.collect(steps=steps))
        kept = self.warm_start.judge(self.collector.strayed)
        if not kept:
            for network in (self.policy.network, self.policy.average):
                for variable, value in zip(network.variables, self.fresh, strict=True):
                    variable.assign(value)
            self.acting.load(self.policy.average.acting_weights())
            self.averager.explore(self.acting.weights)
        elif self.progress < 1.0:  # nothing is learned from short episodes, which do not show where it falls late
            straying.share = before
            self.replay.clear()
        return metrics | {"cloning/kept": float(kept), "cloning/strayed": float(np.mean(self.collector.strayed))}

    def _regularizer(self, steps: int) -> Regularizer | None:
        return self.guide.regularizer(self.rng, steps, self.collector.straying.share)

    def _plan_starts(self, shape: tuple[int, int], rng: np.random.Generator) -> Windows:
        """Observed steps, up to the state a plan starts from."""
        config, burn_in = self.config.plan, self.config.dynamics.burn_in
        sources, recent = (self.demo_replay, self.replay), config.recent_steps
        return mixed_windows(
            *sources, config.demo_fraction, rng, shape, 0, burn_in, recent, self.config.policy.near_only
        )
