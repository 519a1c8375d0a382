"""Writes the small data sets beside this file with the libraries' own writers; tests read them without the libraries.

    python write.py lerobot OUT      # lerobot 0.3.3 (its format v2.1) and 0.6.1 (v3.0)
    python write.py robomimic OUT    # robomimic 0.3.0: its script that extracts observations from recorded states

Each library needs an environment of its own. Observation 0 of step t in episode e is 100 e + 10 t.
"""

import json
import sys
from pathlib import Path

import numpy as np

STEPS = (5, 6)


def lerobot(out):
    """A data set of two episodes, with what an evaluation in a simulator records."""
    import lerobot
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    numbers = {"observation.state": 3, "observation.environment_state": 2, "action": 2, "next.reward": 1}
    features = {name: {"dtype": "float32", "shape": (n,), "names": None} for name, n in numbers.items()}
    features |= {name: {"dtype": "bool", "shape": (1,), "names": None} for name in ("next.done", "next.success")}
    dataset = LeRobotDataset.create("own/tiny", 10, features, root=out, use_videos=False)
    for e, steps in enumerate(STEPS):
        for t in range(steps):
            frame = {
                "observation.state": np.float32([100 * e + 10 * t, 1, 2]),
                "observation.environment_state": np.float32([t, -t]),
                "action": np.float32([0.1 * t, -0.1 * t]),
                "next.reward": np.float32([t]),
                "next.done": np.array([t == steps - 1]),
                "next.success": np.array([t == steps - 1]),
            }
            if lerobot.__version__ < "0.4":
                dataset.add_frame(frame, task="push")
            else:
                dataset.add_frame({**frame, "task": "push"})
        dataset.save_episode()
    if hasattr(dataset, "finalize"):
        dataset.finalize()


def robomimic(out):
    """A file of two demonstrations: states as robosuite records them, to which the library adds `obs`."""
    from argparse import Namespace

    import h5py
    from robomimic.scripts import dataset_states_to_obs, split_train_val
    from robomimic.utils import env_utils

    env_utils.create_env_for_data_processing = lambda **_: _arm()
    recorded = out.with_name("demo.hdf5")
    with h5py.File(recorded, "w") as file:
        data = file.create_group("data")
        for e, steps in enumerate(STEPS):
            demo = data.create_group(f"demo_{e + 1}")  # robosuite counts from 1
            demo["states"] = np.array([[100.0 * e + 10 * t, 1, 2, t, -t] for t in range(steps)])
            demo["actions"] = np.array([[0.1 * t, -0.1 * t] for t in range(steps)])
            demo.attrs["model_file"] = "<mujoco/>"
        data.attrs["env_args"] = json.dumps(_arm().serialize())
    flags = {"camera_names": [], "camera_height": 84, "camera_width": 84, "done_mode": 0, "n": None}
    off = dict.fromkeys(("shaped", "copy_rewards", "copy_dones", "compress", "exclude_next_obs"), False)
    dataset_states_to_obs.dataset_states_to_obs(Namespace(dataset=str(recorded), output_name=out.name, **flags, **off))
    split_train_val.split_train_val_from_hdf5(str(out), val_ratio=0.5)


def _arm():
    """What robomimic asks of a simulator: three numbers of an arm, two of an object, a picture."""
    from robomimic.envs.env_base import EnvBase

    def seen(self):
        arm, thing = self.state[:3].copy(), self.state[3:].copy()
        return {"robot0_eef_pos": arm, "object": thing, "agentview_image": np.zeros((2, 2, 3), np.uint8)}

    def reset_to(self, state):
        self.state = np.array(state["states"])
        return seen(self)

    def step(self, action):
        self.state = np.add(self.state, [10, 0, 0, 1, -1])
        return seen(self), 0.0, False, {}

    about = {"env_name": "Lift", "type": 1, "env_version": "1.4.1", "env_kwargs": {"robots": ["Panda"]}}
    own = {
        "reset": lambda self: None,
        "reset_to": reset_to,
        "step": step,
        "get_reward": lambda self: float(self.state[3] >= 4),
        "is_success": lambda self: {"task": self.state[3] >= 4},
        "serialize": lambda self: about,
    }
    missing = dict.fromkeys(EnvBase.__abstractmethods__ - own.keys())
    return type("Arm", (EnvBase,), {**missing, **own, "__init__": lambda self: None})()


if __name__ == "__main__":
    {"lerobot": lerobot, "robomimic": robomimic}[sys.argv[1]](Path(sys.argv[2]))
