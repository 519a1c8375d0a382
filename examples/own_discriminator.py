"""A discriminator of your own: it judges states alone, so the demonstrations' actions do not matter to it.

pip install -e .    # once, in the checkout
python examples/own_discriminator.py --env cartpole --mode dyna-states
"""

import sys
from dataclasses import replace

import keras

from mgail_dyna import Networks, register
from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.cli.main import main


class StateDiscriminator(keras.Model):
    """A `DiscriminatorModel`: `inputs`, `logits` and `call`."""

    def __init__(self, hidden, size):
        super().__init__()
        layers = [keras.layers.Dense(units, "relu") for units in hidden]
        self.network = keras.Sequential([*layers, keras.layers.Dense(1)])
        self.network.build((None, size))
        self.built = True

    def inputs(self, states, actions):  # [n, d] and [n, a] -> what the gradient penalty differentiates by
        return states

    def logits(self, inputs):  # -> agent_logits [n], high = agent
        return self.network(inputs)[:, 0]

    def call(self, states, actions):
        return self.logits(self.inputs(states, actions))


def build(expert, config, seed):
    """From the expert's states `[n, d]` and actions `[n, a]` as networks see them, and a `DiscriminatorConfig`."""
    keras.utils.set_random_seed(seed)
    return StateDiscriminator(config.hidden, expert[0].shape[1])


networks = Networks(discriminator=build)
register(replace(algorithm_named("dyna"), name="dyna-states", summary="Dyna-AIL with D(s)", networks=networks))

if __name__ == "__main__":
    sys.exit(main())
