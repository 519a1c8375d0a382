"""Policies in NumPy, which act in the environment.

For one or two observations NumPy takes tens of microseconds, a compiled TensorFlow call hundreds. Networks are trained
as Keras models and their weights copied here; a test checks that both agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.types import ActionSpec, Array, FloatArray

# Beside an array, NumPy is slower with a scalar than with an array of no dimensions.
_ZERO = np.asarray(0.0, np.float32)
ACTIVATIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, _ZERO),
}


class ActionHead(Protocol):
    """Turns the network's last layer and recorded noise into actions."""

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draws what `sample` needs, `[*shape, size]`: fixed noise makes sampling repeatable."""

    def mode(self, outputs: FloatArray) -> Array:
        """The most likely action for `outputs [..., size]`."""

    def sample(self, outputs: FloatArray, noise: FloatArray) -> Array:
        """The action that `noise` picks."""

    def executed(self, actions: Array) -> Array:
        """What the environment is given for `actions`: in its units and inside the box, or counted from `start`."""

    def vectors(self, executed: Array) -> FloatArray:
        """What networks are given for executed actions, `[..., size]`: in units of the scale, or one-hot."""


class GaussianHead:
    """Mean plus scale times standard normal noise; clipped to the box when executed.

    The policy works in units of `ActionSpec.scale` around the middle of the box, whatever the environment's own are.
    """

    def __init__(self, spec: ActionSpec, log_std: FloatArray) -> None:
        assert spec.low is not None and spec.high is not None
        self.spec, self.low, self.high = spec, spec.low, spec.high
        self.center, self.scale = spec.center, spec.scale
        # As in most MuJoCo tasks, whose box is from -1 to 1.
        self.same_units = bool(np.all(self.center == 0) and np.all(self.scale == 1))
        self.std = np.exp(log_std, dtype=np.float32)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return rng.standard_normal((*shape, self.spec.size), np.float32)

    def mode(self, outputs: FloatArray) -> Array:
        return outputs

    def sample(self, outputs: FloatArray, noise: FloatArray) -> Array:
        return outputs + self.std * noise

    def executed(self, actions: Array) -> Array:
        scaled = actions if self.same_units else self.center + self.scale * actions
        return np.minimum(np.maximum(scaled, self.low), self.high)

    def vectors(self, executed: Array) -> FloatArray:
        return ((executed - self.center) / self.scale).astype(np.float32)


class CategoricalHead:
    """Greatest logit, with Gumbel noise added when sampling (Gumbel-max)."""

    def __init__(self, spec: ActionSpec) -> None:
        self.spec = spec

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return rng.gumbel(size=(*shape, self.spec.size)).astype(np.float32)

    def mode(self, outputs: FloatArray) -> Array:
        return np.argmax(outputs, axis=-1)

    def sample(self, outputs: FloatArray, noise: FloatArray) -> Array:
        return np.argmax(outputs + noise, axis=-1)

    def executed(self, actions: Array) -> Array:
        return actions + self.spec.start

    def vectors(self, executed: Array) -> FloatArray:
        return np.eye(self.spec.size, dtype=np.float32)[executed - self.spec.start]


class NumpyPolicy:
    """Normalise, multilayer perceptron, action head.

    Args:
        spec: the actions.
        weights: `kernel_i [in, out]` and `bias_i [out]` float32 for every layer, and `log_std [a]` where continuous.
        activation: of the hidden layers, a name in `ACTIVATIONS`.
        mean: `[d]` subtracted from observations.
        std: `[d]` observations are divided by.
        clip: greatest magnitude of a normalised coordinate.
        squash: the mean is a hyperbolic tangent of the network's output, always inside the box.

    Raises:
        UserError: the weights do not make a policy for `spec`.
    """

    def __init__(
        self,
        spec: ActionSpec,
        weights: Mapping[str, Array],
        activation: str = "tanh",
        mean: NDArray[np.floating] | float = 0.0,
        std: NDArray[np.floating] | float = 1.0,
        clip: float = 10.0,
        squash: bool = False,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise unknown_name("activation", activation, ACTIVATIONS)
        self.spec = spec
        self.activation = activation
        self.clip = np.asarray(clip, np.float32)
        self.floor = np.asarray(-self.clip)
        self.squash = bool(squash)
        self.normalise_with(mean, std)
        self.load(weights)

    def state(self) -> dict[str, Any]:
        """Everything `from_state` needs, the action space included."""
        return {
            "spec": asdict(self.spec),
            "weights": dict(self.weights),
            "activation": self.activation,
            "mean": self.mean,
            "std": self.std,
            "clip": float(self.clip),
            "squash": self.squash,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NumpyPolicy:
        """The policy whose `state` this is, checked."""
        policy = cls(**{**state, "spec": ActionSpec(**state["spec"])})
        policy.check()
        return policy

    def check(self, observations: int | None = None) -> None:
        """Checks that all numbers are finite and all shapes fit, which is not so in every file.

        Args:
            observations: size of an observation; that of the first layer if None.

        Raises:
            UserError: naming the array, what was expected and what was found.
        """
        arrays = {**self.weights, "mean": self.mean, "std": self.std}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
                raise UserError(f"{name}: expected finite numbers, found NaN, infinity or none")
        size = observations or (len(arrays["kernel_0"]) if arrays["kernel_0"].ndim else 0)
        fits: dict[str, list[tuple[int, ...]]] = {
            "mean": [(), (size,)],
            "std": [(), (size,)],
            "log_std": [(self.spec.size,)],
        }
        for i, (kernel, _) in enumerate(self.layers):
            width = kernel.shape[-1] if kernel.ndim else 0
            fits |= {f"kernel_{i}": [(size, width)], f"bias_{i}": [(width,)]}
            size = width
        for name in fits.keys() & arrays.keys():
            if (found := arrays[name].shape) not in fits[name]:
                raise UserError(f"{name}: expected shape {list(fits[name][-1])}, found {list(found)}")
        if not (self.std > 0).all() or not self.clip > 0:
            raise UserError("std and clip: expected numbers above 0, found others")

    def load(self, weights: Mapping[str, Array]) -> None:
        """Takes new weights, in the form the constructor takes."""
        depth = sum(name.startswith("kernel_") for name in weights)
        self.layers = [(weights[f"kernel_{i}"], weights[f"bias_{i}"]) for i in range(depth)]
        if not self.layers or self.layers[-1][1].shape != (self.spec.size,):
            found = self.layers[-1][1].shape if self.layers else "no layers"
            raise UserError(f"policy weights: expected an output of size {self.spec.size}, found {found}")
        *self.hidden_layers, self.last_layer = self.layers
        self.weights = dict(weights)
        self.head: ActionHead = (
            GaussianHead(self.spec, weights["log_std"])
            if self.spec.kind == "continuous"
            else CategoricalHead(self.spec)
        )

    def normalise_with(self, mean: NDArray[np.floating] | float, std: NDArray[np.floating] | float) -> None:
        """Takes new observation statistics, `[d]` each."""
        with np.errstate(over="ignore"):  # `check` refuses infinity
            self.mean, self.std = np.asarray(mean, np.float32), np.asarray(std, np.float32)

    def normalise(self, observations: Array) -> FloatArray:
        """`observations [..., d]` in units of their own standard deviation, clipped."""
        scaled = (np.asarray(observations, np.float32) - self.mean) / self.std
        return np.minimum(np.maximum(scaled, self.floor), self.clip)

    def outputs(self, states: FloatArray) -> FloatArray:
        """Means or logits `[..., size]` for normalised `states [..., d]`."""
        act, hidden = ACTIVATIONS[self.activation], states
        for kernel, bias in self.hidden_layers:
            hidden = act(hidden.dot(kernel) + bias)  # for one state in half the time of @
        kernel, bias = self.last_layer
        outputs: FloatArray = hidden.dot(kernel) + bias
        return self.spec.reach * np.tanh(outputs / self.spec.reach) if self.squash else outputs

    def targets(self, states: FloatArray) -> FloatArray:
        """The mean action as a clone of this policy would learn it, `[..., a]`, for normalised `states [..., d]`."""
        return self.head.vectors(self.head.executed(self.head.mode(self.outputs(states))))

    def act(self, observations: Array, noise: FloatArray | None = None) -> Array:
        """Actions as executed, for raw `observations [..., d]`: the mean action, or the one `noise` picks."""
        outputs = self.outputs(self.normalise(observations))
        chosen = self.head.mode(outputs) if noise is None else self.head.sample(outputs, noise)
        return self.head.executed(chosen)
