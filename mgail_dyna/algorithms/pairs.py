"""The pairs the discriminator compares (Algorithm 1, line 5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mgail_dyna.config.imitation import DiscriminatorConfig
from mgail_dyna.learners.views import Pairs, View
from mgail_dyna.replay import Replay

# From a shape `(K, n)` to `K` batches of `n` imagined pairs.
ImagineFn = Callable[[tuple[int, int]], Pairs]


class PairSampler:
    """Draws minibatches of the agent's pairs and of the expert's, each `[K, B, ...]`.

    Args:
        demos: the expert's pairs.
        replay: the agent's real pairs.
        config: how many of which.
        recent_steps: env steps that count as recent.
        rng: draws.
        view: what D judges.
        imagine: gives pairs imagined under the current policy; None for an agent without imagination.
    """

    def __init__(
        self,
        demos: Replay,
        replay: Replay,
        config: DiscriminatorConfig,
        recent_steps: int,
        rng: np.random.Generator,
        view: View,
        imagine: ImagineFn | None = None,
    ) -> None:
        self.demos, self.replay, self.config, self.recent_steps = demos, replay, config, recent_steps
        self.rng, self.view, self.imagine = rng, view, imagine

    def agent(self) -> Pairs:
        """Recent real pairs, older real ones and imagined ones, side by side in each minibatch."""
        steps, batch = self.config.steps, self.config.batch
        imagined = round(batch * self.config.imagined_fraction) if self.imagine else 0
        recent = min(round(batch * self.config.recent_fraction), batch - imagined)
        parts = [
            self.view.draw(self.replay, self.rng, (steps, recent), self.recent_steps),
            self.view.draw(self.replay, self.rng, (steps, batch - recent - imagined)),
        ]
        if self.imagine and imagined:
            parts.append(self.imagine((steps, imagined)))
        states, beside = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
        return states, beside

    def expert(self) -> Pairs:
        """Pairs of the demonstrations."""
        return self.view.draw(self.demos, self.rng, (self.config.steps, self.config.batch))
