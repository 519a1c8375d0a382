"""The gradient steps of the default recipe on HalfCheetah, at its sizes, on made-up data: what `compare.py` times.

The package's updates are here; the peers make the same ones from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgail_dyna import runtime

tf = runtime.import_tensorflow()

from mgail_dyna.algorithms.dyna import DynaAgent  # noqa: E402
from mgail_dyna.algorithms.registry import imitation_preset  # noqa: E402
from mgail_dyna.config.imitation import ImitationConfig  # noqa: E402
from mgail_dyna.demonstrations.reader import load_demonstrations  # noqa: E402
from mgail_dyna.environments.make import make_env  # noqa: E402
from mgail_dyna.replay import Windows  # noqa: E402

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
    """The recipe's updates, `steps` gradient steps each.

    Args:
        steps: gradient steps of one update.

    Attributes:
        config: the recipe.
        windows: `[K, W + L, B, ...]` for learning, planning and the model.
        agent, expert, mix: for the discriminator, `[K, B, ...]`.
    """

    def __init__(self, steps: int) -> None:
        self.config: ImitationConfig = imitation_preset("recipe", "HalfCheetah-v5", "dyna")
        self.steps, demos = steps, load_demonstrations("halfcheetah")
        self.agent_made = DynaAgent(self.config, lambda: make_env("HalfCheetah-v5", demos.length), demos)
        self.rng = np.random.default_rng(0)
        size, actions = demos.observation_space.shape[0], demos.action.size
        self.sizes = size, actions
        burn_in = self.config.dynamics.burn_in
        self.windows = self._windows(burn_in + self.config.learn.length, self.config.learn.batch)
        batch = self.config.discriminator.batch
        self.agent, self.expert = ((self._draw(batch, size), self._draw(batch, actions)) for _ in range(2))
        self.mix = self.rng.random((steps, batch, 1), np.float32)
        self._start = self._learners()

    def _draw(self, *shape: int) -> np.ndarray:
        return 0.5 * self.rng.standard_normal((self.steps, *shape), np.float32)

    def _windows(self, length: int, batch: int) -> Windows:
        size, actions = self.sizes
        return Windows(
            states=self._draw(length + 1, batch, size),
            actions=self._draw(length, batch, actions),
            noise=self._draw(length, batch, actions),
            mask=np.ones((self.steps, length, batch), np.float32),
        )

    def noise(self, length: int) -> np.ndarray:
        """Fresh noise for plans of `length` steps, the same at every call."""
        shape = (self.steps, length, self.config.plan.batch, self.sizes[1])
        return np.random.default_rng(length).standard_normal(shape, np.float32)

    @property
    def plan_starts(self) -> tuple[np.ndarray, np.ndarray]:
        """States `[K, W + 1, B, d]` and the mask `[K, W, B]` of the first W."""
        burn_in = self.config.dynamics.burn_in
        return self.windows.states[:, : burn_in + 1], self.windows.mask[:, :burn_in]

    def _learners(self) -> dict[str, Any]:
        agent = self.agent_made
        return {name: getattr(agent, name).state() for name in ("policy", "discriminator", "dynamics")}

    def reset(self) -> None:
        """Takes the package's learners back to where they began."""
        for name, state in self._start.items():
            getattr(self.agent_made, name).restore(state)

    def weights(self) -> Weights:
        """The package's, as they are now."""
        agent = self.agent_made
        policy, discriminator = agent.policy.network, agent.discriminator.network
        model, head = agent.dynamics.model, agent.acting.head
        encoder, action = model.state_encoder, model.action_encoder
        layers = {"inward": encoder.inward, "outward": encoder.outward, "fused": model.fused, "change": model.change}
        layers |= {"action_inward": action.inward, "action_outward": action.outward}
        low, high = ((bound - head.center) / head.scale for bound in (head.low, head.high))
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

    def updates(self) -> dict[str, Update]:
        """The package's updates by name; they share what they train."""
        agent, starts = self.agent_made, self.plan_starts
        agent.policy.pace(1.0)

        def plan(noise: Any) -> Update:
            return lambda: float(agent.policy._plan(*starts, noise, None)["cost"])

        windows = self.windows
        return {
            **{f"plan {n}": plan(self.noise(n)) for n in (10, 20, 50)},
            "learn": lambda: agent.policy.learn(windows, 1.0)["cost"],
            "discriminator": lambda: agent.discriminator(self.agent, self.expert, self.mix, 1.0)["loss"],
            "model": lambda: agent.dynamics(windows, 1.0)["loss"],
        }


def _dense(layer: Any) -> Dense:
    return layer.kernel.numpy(), layer.bias.numpy()
