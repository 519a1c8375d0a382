"""Act with an exported policy in NumPy alone. Neither this package nor TensorFlow is needed.

python run.py export halfcheetah                       # writes policy.npz
python examples/act_with_npz.py policy.npz HalfCheetah-v5
"""

import sys

import gymnasium as gym
import numpy as np

if len(sys.argv) != 3:
    sys.exit(__doc__)
part = dict(np.load(sys.argv[1], allow_pickle=False))
layers = sum(name.startswith("kernel_") for name in part)


def act(observation):
    """The mean action, as the environment takes it."""
    x = np.clip((observation - part["mean"]) / part["std"], -part["clip"], part["clip"])
    for i in range(layers):
        x = x @ part[f"kernel_{i}"] + part[f"bias_{i}"]
        if i < layers - 1:
            x = np.tanh(x) if part["activation"] == "tanh" else np.maximum(x, 0)
    if "low" not in part:
        return part["start"] + x.argmax(axis=-1)
    x = part["reach"] * np.tanh(x / part["reach"]) if part["squash"] else x
    return np.clip(part["center"] + part["scale"] * x, part["low"], part["high"])


sys.path.append("")  # for an environment of your own in the current directory
env = gym.make(sys.argv[2])
observation, _ = env.reset(seed=0)
total, ended = 0.0, False
while not ended:
    observation, reward, terminated, truncated, _ = env.step(act(observation.astype(np.float32)))
    total, ended = total + float(reward), terminated or truncated
print(f"return {total:.1f}")
