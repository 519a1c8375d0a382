"""An algorithm of your own: Dyna-AIL that plans only while its model predicts well (an idea of the paper's sec. 5).

pip install -e .    # once, in the checkout
python examples/own_algorithm.py --env cartpole --mode dyna-switch
"""

import sys

from mgail_dyna import Algorithm, DynaAgent, register
from mgail_dyna.cli.main import main

LARGEST_ERROR = 0.1  # after one step, in standard deviations of the state


class SwitchingAgent(DynaAgent):
    """Overrides two steps of `DynaAgent.iterate`."""

    def model_errors(self):
        errors = super().model_errors()  # on env steps that the model has not been trained on
        self.trusted = errors["error_1"] < LARGEST_ERROR
        return {**errors, "trusted": float(self.trusted)}  # lands in progress.csv as dynamics/trusted

    def plan(self, learning_rate):
        if self.trusted:
            return super().plan(learning_rate)
        return {"cost": 0.0, "gradient_norm": 0.0}  # an agent reports the same metrics every time


register(
    Algorithm(
        name="dyna-switch",
        summary="Dyna-AIL that plans only while its model predicts well",
        agent=SwitchingAgent,
        sections=("dyna",),  # of the preset files
        progress=("plans: {dynamics/trusted:.0%}",),
    )
)

if __name__ == "__main__":
    sys.exit(main())
