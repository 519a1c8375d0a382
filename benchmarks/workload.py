"""The gradient steps of the default recipe, on made-up data: what `compare.py` and `growth.py` time.

The package's updates are here; the peers make the same ones from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mgail_dyna import runtime

runtime.import_tensorflow()

from mgail_dyna.algorithms.networks import build_discriminator, build_dynamics, build_policy  # noqa: E402
from mgail_dyna.algorithms.registry import imitation_preset  # noqa: E402
from mgail_dyna.config.imitation import ImitationConfig  # noqa: E402
from mgail_dyna.learners.discriminator import DiscriminatorLearner  # noqa: E402
from mgail_dyna.learners.dynamics import DynamicsLearner  # noqa: E402
from mgail_dyna.learners.policy import PolicyLearner  # noqa: E402
from mgail_dyna.learners.views import StateAction  # noqa: E402
from mgail_dyna.replay import Replay, Windows  # noqa: E402
from mgail_dyna.types import ActionSpec  # noqa: E402

# The weights of a dense layer, `[in, out]` and `[out]`.
Dense = tuple[np.ndarray, np.ndarray]
# Takes `steps` gradient steps and returns the mean loss over them.
Update = Callable[[], float]


@dataclass(frozen=True)
class Weights:
    """All that the updates start from.

    Attributes:
        policy: dense layers, the last one the mean's.
        std: `[a]` of actions.
        low, high, reach: `[a]` bounds of actions in their unit, and the largest mean.
        discriminator: dense layers, the last one the logit's.
        centre, matrix: of the discriminator's inputs.
        encoder: the model's dense layers, by name.
        gru: kernel `[h, 3 h]`, recurrent kernel `[h, 3 h]` and biases `[2, 3 h]`, as Keras keeps them.
        change_scale: `[d]`.
    """

    policy: list[Dense]
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reach: np.ndarray
    discriminator: list[Dense]
    centre: np.ndarray
    matrix: np.ndarray
    encoder: dict[str, Dense]
    gru: list[np.ndarray]
    change_scale: np.ndarray


class Workload:
    """The recipe's updates, `steps` gradient steps each, on made-up data of HalfCheetah's sizes or others.

    Args:
        steps: gradient steps of one update.
        batch: trajectories of a batch in planning, learning and the model; the recipe's if None.
        size: of a state.
        actions: of an action.
        members: of the model.

    Attributes:
        config: the recipe.
        windows: `[K, W + L, B, ...]` for learning, planning and the model.
        agent, expert, mix: for the discriminator, `[K, B, ...]`.
    """

    def __init__(
        self, steps: int, batch: int | None = None, size: int = 17, actions: int = 6, members: int = 1
    ) -> None:
        recipe: ImitationConfig = imitation_preset("recipe", "HalfCheetah-v5", "dyna")
        self.config = replace(recipe, dynamics=replace(recipe.dynamics, members=members))
        self.steps, self.sizes, self.rng = steps, (size, actions), np.random.default_rng(0)
        self.batch = batch or self.config.plan.batch
        self.windows = self._windows(self.config.dynamics.burn_in + self.config.learn.length)
        pairs = self.config.discriminator.batch
        self.agent, self.expert = ((self._draw(pairs, size), self._draw(pairs, actions)) for _ in range(2))
        self.mix = self.rng.random((steps, pairs, 1), np.float32)
        config, demos = self.config, Replay(size, actions, actions)
        demos.add(*(self.rng.standard_normal((1_000 + more, n), np.float32) for more, n in ((1, size), (0, actions))))
        box = np.ones(actions, np.float32)
        self.action = ActionSpec("continuous", actions, -box, box)
        policy, average = (build_policy(self.action, size, config.policy, seed=0) for _ in range(2))
        discriminator = build_discriminator(demos.all_pairs(), config.discriminator, seed=1)
        model = build_dynamics(demos, config.dynamics, seed=2)
        self.learners: dict[str, Any] = {
            "discriminator": DiscriminatorLearner(discriminator, config.discriminator),
            "dynamics": DynamicsLearner(model, config.dynamics),
            "policy": PolicyLearner(policy, average, discriminator, model, self.action, config, StateAction()),
        }
        self._start = {name: learner.state() for name, learner in self.learners.items()}

    def _draw(self, *shape: int) -> np.ndarray:
        return 0.5 * self.rng.standard_normal((self.steps, *shape), np.float32)

    def _windows(self, length: int) -> Windows:
        (size, actions), batch = self.sizes, self.batch
        return Windows(
            states=self._draw(length + 1, batch, size),
            actions=self._draw(length, batch, actions),
            noise=self._draw(length, batch, actions),
            mask=np.ones((self.steps, length, batch), np.float32),
        )

    def noise(self, length: int) -> np.ndarray:
        """Fresh noise for plans of `length` steps, the same at every call."""
        shape = (self.steps, length, self.batch, self.sizes[1])
        return np.random.default_rng(length).standard_normal(shape, np.float32)

    @property
    def plan_starts(self) -> tuple[np.ndarray, np.ndarray]:
        """States `[K, W + 1, B, d]` and the mask `[K, W, B]` of the first W."""
        burn_in = self.config.dynamics.burn_in
        return self.windows.states[:, : burn_in + 1], self.windows.mask[:, :burn_in]

    def reset(self) -> None:
        """Takes the learners back to where they began."""
        for name, state in self._start.items():
            self.learners[name].restore(state)

    def weights(self) -> Weights:
        """The package's, as they are now."""
        policy, discriminator = self.learners["policy"].network, self.learners["discriminator"].network
        model, spec = self.learners["dynamics"].model, self.action
        assert spec.low is not None and spec.high is not None
        member = model.members[0]
        encoder, action = member.state_encoder, member.action_encoder
        layers = {"inward": encoder.inward, "outward": encoder.outward, "fused": member.fused, "change": member.change}
        layers |= {"action_inward": action.inward, "action_outward": action.outward}
        low, high = ((bound - spec.center) / spec.scale for bound in (spec.low, spec.high))
        return Weights(
            policy=[_dense(layer) for layer in [*policy.hidden_layers, policy.output_layer]],
            std=np.exp(policy.log_std.numpy()),
            low=low,
            high=high,
            reach=policy.reach.numpy(),
            discriminator=[_dense(layer) for layer in discriminator.perceptron.layers],
            centre=discriminator.whitening.centre.numpy(),
            matrix=discriminator.whitening.matrix.numpy(),
            encoder={name: _dense(layer) for name, layer in layers.items()},
            gru=[variable.numpy() for variable in encoder.cell.trainable_variables],
            change_scale=model.change_scale.numpy(),
        )

    def updates(self, lengths: Sequence[int] = (10, 20, 50)) -> dict[str, Update]:
        """The package's updates by name; those of one network train the same weights.

        Args:
            lengths: of plans.
        """
        policy, starts, windows = self.learners["policy"], self.plan_starts, self.windows
        discriminator, dynamics = self.learners["discriminator"], self.learners["dynamics"]
        policy.pace(1.0)

        def plan(noise: np.ndarray) -> Update:
            return lambda: float(policy._plan(*starts, noise, None)["cost"])

        return {
            **{f"plan {n}": plan(self.noise(n)) for n in lengths},
            "learn": lambda: policy.learn(windows, 1.0)["cost"],
            "discriminator": lambda: discriminator(self.agent, self.expert, self.mix, 1.0)["loss"],
            "model": lambda: dynamics(windows, 1.0)["loss"],
        }


def _dense(layer: Any) -> Dense:
    return layer.kernel.numpy(), layer.bias.numpy()
