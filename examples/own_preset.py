"""An environment and a preset of your own. Imported by the `module:` in front of the id, as in

PYTHONPATH=examples python run.py --env own_preset:Mass-v0 --expert own_demonstrations
"""

from pathlib import Path

import gymnasium
from imitate_your_own_environment import Mass

import mgail_dyna

gymnasium.register("Mass-v0", entry_point=Mass, max_episode_steps=100)
mgail_dyna.register_preset(Path(__file__).with_name("mass.toml"))
