"""Act with an exported policy. Neither this package nor TensorFlow is needed.

python run.py export halfcheetah --format onnx         # writes policy.onnx
python examples/act_with_onnx.py policy.onnx HalfCheetah-v5
"""

import sys

import gymnasium as gym
import numpy as np
import onnxruntime

if len(sys.argv) != 3:
    sys.exit(__doc__)
session = onnxruntime.InferenceSession(sys.argv[1])
sys.path.append("")  # for an environment of your own in the current directory
env = gym.make(sys.argv[2])
observation, _ = env.reset(seed=0)
total, ended = 0.0, False
while not ended:
    (actions,) = session.run(["action"], {"observation": observation[None].astype(np.float32)})
    observation, reward, terminated, truncated, _ = env.step(actions[0])
    total, ended = total + float(reward), terminated or truncated
print(f"return {total:.1f}")
