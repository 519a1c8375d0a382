"""The updates in JAX, compiled as a whole: loops are `lax.scan`, so that all gradient steps are one call."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from workload import Update, Weights, Workload

Tree = Any


def mlp(layers: Tree, inputs: jax.Array) -> jax.Array:
    """The last layer is linear, the others are ReLU."""
    for kernel, bias in layers[:-1]:
        inputs = jax.nn.relu(inputs @ kernel + bias)
    kernel, bias = layers[-1]
    return inputs @ kernel + bias


def dense(layer: Tree, inputs: jax.Array) -> jax.Array:
    """A linear layer."""
    return inputs @ layer[0] + layer[1]


def gru(gates: Tree, inputs: jax.Array, memory: jax.Array) -> jax.Array:
    """The memory after `inputs [n, h]`, as Keras computes it (`reset_after`)."""
    kernel, recurrent, bias = gates
    z, r, h = jnp.split(inputs @ kernel + bias[0], 3, axis=-1)
    z_, r_, h_ = jnp.split(memory @ recurrent + bias[1], 3, axis=-1)
    keep = jax.nn.sigmoid(z + z_)
    return keep * memory + (1 - keep) * jnp.tanh(h + jax.nn.sigmoid(r + r_) * h_)


def change(model: Tree, features: jax.Array, memory: jax.Array, actions: jax.Array) -> jax.Array:
    """f(s, a) in units of `change_scale`."""
    embedded = jax.nn.relu(dense(model["outward"], jnp.concatenate([features, memory], -1)))
    acted = dense(model["action_outward"], jax.nn.relu(dense(model["action_inward"], actions)))
    return dense(model["change"], jax.nn.relu(dense(model["fused"], embedded * acted)))


def observe(model: Tree, states: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Features and memories `[T, n, h]` along observed steps, and the last memory."""
    features = jax.nn.relu(dense(model["inward"], states))
    memory, history = jnp.zeros(features.shape[1:]), []
    for t in range(len(states)):
        memory = jnp.where(mask[t][:, None] > 0, gru(model["gru"], features[t], memory), memory)
        history.append(memory)
    return features, jnp.stack(history), memory


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def clip_step_gradient(limit: float, states: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The identity; on the way back both gradients together have at most norm `limit` a row."""
    return states, memory


def _clip_backwards(limit: float, _: None, gradients: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    norm = jnp.sqrt(sum(jnp.sum(part**2, -1, keepdims=True) for part in gradients))
    scale = limit / jnp.maximum(norm, limit)
    return scale * gradients[0], scale * gradients[1]


clip_step_gradient.defvjp(lambda limit, *state: (state, None), _clip_backwards)


class InJax:
    """The updates of `Workload`."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.config, self.fixed = workload.config, weights
        self.policy = jax.tree.map(jnp.asarray, weights.policy)
        self.judge = jax.tree.map(jnp.asarray, weights.discriminator)
        self.model = jax.tree.map(jnp.asarray, {**weights.encoder, "gru": weights.gru})
        self.work = workload

    def reset(self) -> None:
        """Nothing to do: every update has weights of its own."""

    def updates(self) -> dict[str, Update]:
        """By name, as `Workload.updates`."""
        work, starts, config = self.work, self.work.plan_starts, self.config
        burn_in = config.dynamics.burn_in
        whole = tuple(jnp.asarray(getattr(work.windows, name)) for name in ("states", "actions", "noise", "mask"))

        def planned(length: int) -> Update:
            noise = jnp.asarray(work.noise(length))
            return self._trained(
                "policy",
                lambda policy, batch: self._cost(policy, *batch, None, None, jnp.ones(noise.shape[1:3])),
                (*map(jnp.asarray, starts), noise),
                config.policy.learning_rate,
                config.policy.clip_norm,
            )

        def learned(policy: Tree, batch: Any) -> jax.Array:
            states, actions, noise, mask = batch
            return self._cost(
                policy, states, mask, noise[burn_in:], actions[burn_in:], states[burn_in + 1 :], mask[burn_in:]
            )

        pairs = tuple(jnp.asarray(array) for array in (*work.agent, *work.expert, work.mix))
        return {
            **{f"plan {n}": planned(n) for n in (10, 20, 50)},
            "learn": self._trained("policy", learned, whole, config.policy.learning_rate, config.policy.clip_norm),
            "discriminator": self._trained("judge", self._judged, pairs, config.discriminator.learning_rate),
            "model": self._trained("model", self._fitted, whole, config.dynamics.learning_rate),
        }

    def _trained(self, name: str, loss: Any, batches: Any, rate: float, clip_norm: float | None = None) -> Update:
        """`loss(parameters, batch)` is what is minimised, or that and what is reported; one call takes every step."""
        adam = optax.adam(rate, eps=1e-7)
        optimizer = optax.chain(optax.clip_by_global_norm(clip_norm), adam) if clip_norm else adam
        average = clip_norm is not None
        decay = self.config.policy.averaging

        def step(carried: Any, batch: Any) -> Any:
            parameters, state, mean = carried
            found, gradients = jax.value_and_grad(loss, has_aux=name == "judge")(parameters, batch)
            updates, state = optimizer.update(gradients, state)
            parameters = optax.apply_updates(parameters, updates)
            if average:
                mean = jax.tree.map(lambda old, new: new + decay * (old - new), mean, parameters)
            return (parameters, state, mean), found[1] if name == "judge" else found

        @jax.jit
        def update(carried: Any, batches: Any) -> Any:
            carried, losses = lax.scan(step, carried, batches)
            return carried, jnp.mean(losses)

        start = getattr(self, name)
        held = [(start, optimizer.init(start), start if average else None)]

        def run() -> float:
            held[0], found = update(held[0], batches)
            return float(found)

        return run

    def _cost(
        self, policy: Tree, states: Any, mask: Any, noise: Any, actions: Any, next_states: Any, kept: Any
    ) -> jax.Array:
        config, fixed, model, burn_in = self.config, self.fixed, self.model, self.config.dynamics.burn_in
        limit = config.policy.bptt_clip_norm / noise.shape[1]
        memory = observe(model, states[:burn_in], mask[:burn_in])[2]

        def act(state: jax.Array, t: Any) -> jax.Array:
            mean = fixed.reach * jnp.tanh(mlp(policy, state) / fixed.reach)
            action = mean + fixed.std * noise[t]
            chosen = jnp.clip(lax.stop_gradient(action), fixed.low, fixed.high) + action - lax.stop_gradient(action)
            if actions is None:
                return chosen
            same = jnp.abs(chosen - actions[t]) < 1e-5
            return jnp.where(same, actions[t] + chosen - lax.stop_gradient(chosen), chosen)

        def step(carried: Any, t: Any) -> Any:
            state, action, memory = carried
            features = jax.nn.relu(dense(model["inward"], state))
            memory = gru(model["gru"], features, memory)
            predicted = jnp.clip(state + fixed.change_scale * change(model, features, memory, action), -10, 10)
            if next_states is not None:
                predicted = next_states[t - 1] + predicted - lax.stop_gradient(predicted)
            state, memory = clip_step_gradient(limit, predicted, memory)
            action = act(state, t)
            return (state, action, memory), (state, action)

        start = states[burn_in]
        first = act(start, 0)
        _, (rest, acted) = lax.scan(step, (start, first, memory), jnp.arange(1, len(noise)))
        pairs = [jnp.concatenate([a[None], b]) for a, b in ((start, rest), (first, acted))]
        inputs = (jnp.concatenate(pairs, -1) - fixed.centre) @ fixed.matrix
        costs = mlp(self.judge, inputs.reshape(-1, inputs.shape[-1])).reshape(inputs.shape[:2])
        weights = config.discount ** jnp.arange(len(noise), dtype=jnp.float32)
        return jnp.mean(jnp.sum(weights[:, None] * kept * costs, 0))

    def _judged(self, judge: Tree, batch: Any) -> tuple[jax.Array, jax.Array]:
        config, fixed = self.config.discriminator, self.fixed
        agent, expert = ((jnp.concatenate(pair, -1) - fixed.centre) @ fixed.matrix for pair in (batch[:2], batch[2:4]))

        def logits(inputs: jax.Array) -> jax.Array:
            return mlp(judge, inputs)[..., 0]

        loss = jnp.mean(jax.nn.softplus(-logits(agent))) + jnp.mean(jax.nn.softplus(logits(expert)))
        slopes = jax.grad(lambda inputs: jnp.sum(logits(inputs)))(agent + batch[4] * (expert - agent))
        norm = jnp.sqrt(jnp.sum(slopes**2, -1) + 1e-12)
        return loss + config.gradient_penalty * jnp.mean((norm - config.gradient_target) ** 2), loss

    def _fitted(self, model: Tree, batch: Any) -> jax.Array:
        states, actions, _, mask = batch
        features, memories, _ = observe(model, states[:-1], mask)
        wanted = (states[1:] - states[:-1]) / self.fixed.change_scale
        errors = 0.5 * jnp.sum((change(model, features, memories, actions) - wanted) ** 2, -1)
        return jnp.sum(errors * mask) / jnp.maximum(jnp.sum(mask), 1)
