"""The updates in PyTorch, eagerly, as most of its users write them."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import softplus
from workload import Update, Weights, Workload

Tree = Any


def tensors(tree: Any, trained: bool = False) -> Any:
    """NumPy arrays in lists, tuples and dictionaries as tensors."""
    if isinstance(tree, dict):
        return {name: tensors(part, trained) for name, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [tensors(part, trained) for part in tree]
    return torch.tensor(tree, dtype=torch.float32, requires_grad=trained)


def detached(tree: Any) -> Any:
    """The same without gradients."""
    if isinstance(tree, dict):
        return {name: detached(part) for name, part in tree.items()}
    return tree.detach() if isinstance(tree, torch.Tensor) else [detached(part) for part in tree]


def leaves(tree: Any) -> list[torch.Tensor]:
    """Its tensors."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [leaf for part in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(part)]


def dense(layer: Tree, inputs: torch.Tensor) -> torch.Tensor:
    """A linear layer."""
    return torch.addmm(layer[1], inputs, layer[0]) if inputs.ndim == 2 else inputs @ layer[0] + layer[1]


def mlp(layers: Tree, inputs: torch.Tensor) -> torch.Tensor:
    """The last layer is linear, the others are ReLU."""
    for layer in layers[:-1]:
        inputs = torch.relu(dense(layer, inputs))
    return dense(layers[-1], inputs)


def gru(gates: Tree, inputs: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """The memory after `inputs [n, h]`, as Keras computes it (`reset_after`)."""
    kernel, recurrent, bias = gates
    z, r, h = torch.addmm(bias[0], inputs, kernel).chunk(3, -1)
    z_, r_, h_ = torch.addmm(bias[1], memory, recurrent).chunk(3, -1)
    keep = torch.sigmoid(z + z_)
    return keep * memory + (1 - keep) * torch.tanh(h + torch.sigmoid(r + r_) * h_)


def change(model: Tree, features: torch.Tensor, memory: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """f(s, a) in units of `change_scale`."""
    embedded = torch.relu(dense(model["outward"], torch.cat([features, memory], -1)))
    acted = dense(model["action_outward"], torch.relu(dense(model["action_inward"], actions)))
    return dense(model["change"], torch.relu(dense(model["fused"], embedded * acted)))


def observe(model: Tree, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features and memories `[T, n, h]` along observed steps, and the last memory."""
    features = torch.relu(dense(model["inward"], states))
    memory, history = torch.zeros(features.shape[1:]), []
    for t in range(len(states)):
        memory = torch.where(mask[t][:, None] > 0, gru(model["gru"], features[t], memory), memory)
        history.append(memory)
    return features, torch.stack(history), memory


class StepClip(torch.autograd.Function):
    """J_s, clipped on its way back."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, memory: torch.Tensor, limit: float) -> Any:
        ctx.limit = limit
        return states.clone(), memory.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        norm = torch.sqrt(sum((part**2).sum(-1, keepdim=True) for part in gradients))
        scale = ctx.limit / norm.clamp(min=ctx.limit)
        return scale * gradients[0], scale * gradients[1], None


class InTorch:
    """The updates of `Workload`."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        torch.set_num_threads(1)
        self.config, self.work = workload.config, workload
        self.policy, self.judge = tensors(weights.policy, True), tensors(weights.discriminator, True)
        self.model = tensors({**weights.encoder, "gru": weights.gru}, True)
        names = ("std", "low", "high", "reach", "centre", "matrix", "change_scale")
        self.fixed = {name: tensors(getattr(weights, name)) for name in names}
        self.mean = [leaf.detach().clone() for leaf in leaves(self.policy)]
        self._trees = (self.policy, self.judge, self.model)
        self._start = [leaf.detach().clone() for leaf in leaves(self._trees)]

    def reset(self) -> None:
        """Takes all weights back to where they began."""
        with torch.no_grad():
            for leaf, start in zip(leaves(self._trees), self._start, strict=True):
                leaf.copy_(start)

    def updates(self) -> dict[str, Update]:
        """By name, as `Workload.updates`; those of one network train the same weights."""
        work, config, burn_in = self.work, self.config, self.config.dynamics.burn_in
        states, actions, noise, mask = (
            tensors(getattr(work.windows, n)) for n in ("states", "actions", "noise", "mask")
        )
        seen = [tensors(array) for array in work.plan_starts]
        rate, clip_norm = config.policy.learning_rate, config.policy.clip_norm

        def planned(length: int) -> Update:
            fresh = tensors(work.noise(length))
            everything = torch.ones(fresh.shape[1:3])
            return self._trained(
                self.policy,
                lambda k: self._cost(seen[0][k], seen[1][k], fresh[k], None, None, everything),
                rate,
                clip_norm,
            )

        def learned(k: int) -> Any:
            return self._cost(
                states[k],
                mask[k],
                noise[k, burn_in:],
                actions[k, burn_in:],
                states[k, burn_in + 1 :],
                mask[k, burn_in:],
            )

        pairs = [tensors(array) for array in (*work.agent, *work.expert, work.mix)]
        return {
            **{f"plan {n}": planned(n) for n in (10, 20, 50)},
            "learn": self._trained(self.policy, learned, rate, clip_norm),
            "discriminator": self._trained(
                self.judge, lambda k: self._judged([part[k] for part in pairs]), config.discriminator.learning_rate
            ),
            "model": self._trained(
                self.model,
                lambda k: self._fitted(states[k], actions[k], mask[k]),
                config.dynamics.learning_rate,
            ),
        }

    def _trained(self, tree: Tree, loss: Any, rate: float, clip_norm: float | None = None) -> Update:
        """`loss(k)` is what is minimised and what is reported."""
        parameters = leaves(tree)
        optimizer = torch.optim.Adam(parameters, rate, eps=1e-7)

        def run() -> float:
            reported = torch.zeros(())
            for k in range(self.work.steps):
                total, shown = loss(k)
                for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
                    parameter.grad = gradient
                if clip_norm:
                    torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
                optimizer.step()
                if clip_norm:
                    torch._foreach_lerp_(self.mean, [p.detach() for p in parameters], 1 - self.config.policy.averaging)
                reported += shown.detach()
            return float(reported) / self.work.steps

        return run

    def _cost(self, states: Any, mask: Any, noise: Any, actions: Any, next_states: Any, kept: Any) -> Any:
        config, fixed, model, burn_in = self.config, self.fixed, self.model, self.config.dynamics.burn_in
        model, judge = (
            {n: [w.detach() for w in part] for n, part in model.items()},
            [[w.detach() for w in part] for part in self.judge],
        )
        limit = config.policy.bptt_clip_norm / noise.shape[1]
        memory = observe(model, states[:burn_in], mask[:burn_in])[2]

        def act(state: torch.Tensor, t: int) -> torch.Tensor:
            mean = fixed["reach"] * torch.tanh(mlp(self.policy, state) / fixed["reach"])
            action = mean + fixed["std"] * noise[t]
            inside = torch.minimum(torch.maximum(action.detach(), fixed["low"]), fixed["high"])
            chosen = inside + action - action.detach()
            if actions is None:
                return chosen
            same = (chosen - actions[t]).abs() < 1e-5
            return torch.where(same, actions[t] + chosen - chosen.detach(), chosen)

        state = states[burn_in]
        action = act(state, 0)
        trajectory = [torch.cat([state, action], -1)]
        for t in range(1, len(noise)):
            features = torch.relu(dense(model["inward"], state))
            memory = gru(model["gru"], features, memory)
            predicted = (state + fixed["change_scale"] * change(model, features, memory, action)).clamp(-10, 10)
            if next_states is not None:
                predicted = next_states[t - 1] + predicted - predicted.detach()
            state, memory = StepClip.apply(predicted, memory, limit)
            action = act(state, t)
            trajectory.append(torch.cat([state, action], -1))
        inputs = (torch.stack(trajectory) - fixed["centre"]) @ fixed["matrix"]
        costs = mlp(judge, inputs.flatten(0, 1)).reshape(inputs.shape[:2])
        weights = config.discount ** torch.arange(len(noise), dtype=torch.float32)
        cost = (weights[:, None] * kept * costs).sum(0).mean()
        return cost, cost

    def _judged(self, batch: list[torch.Tensor]) -> Any:
        config, fixed = self.config.discriminator, self.fixed
        agent, expert = ((torch.cat(pair, -1) - fixed["centre"]) @ fixed["matrix"] for pair in (batch[:2], batch[2:4]))
        on_agent, on_expert = mlp(self.judge, agent)[..., 0], mlp(self.judge, expert)[..., 0]
        loss = softplus(-on_agent).mean() + softplus(on_expert).mean()
        between = (agent + batch[4] * (expert - agent)).requires_grad_()
        (slopes,) = torch.autograd.grad(mlp(self.judge, between).sum(), between, create_graph=True)
        norm = torch.sqrt((slopes**2).sum(-1) + 1e-12)
        return loss + config.gradient_penalty * ((norm - config.gradient_target) ** 2).mean(), loss

    def _fitted(self, states: torch.Tensor, actions: torch.Tensor, mask: torch.Tensor) -> Any:
        features, memories, _ = observe(self.model, states[:-1], mask)
        wanted = (states[1:] - states[:-1]) / self.fixed["change_scale"]
        errors = 0.5 * ((change(self.model, features, memories, actions) - wanted) ** 2).sum(-1)
        loss = (errors * mask).sum() / mask.sum().clamp(min=1)
        return loss, loss
