"""One class per trained model: its variables, its optimizer and its compiled many-step update; and what models that are
held fixed give in one compiled call: rewards, imagined rollouts.

Randomness comes in as arguments (permutations, noise), drawn by NumPy generators whose state a checkpoint keeps, so a
compiled update is a function of its arguments and its variables alone.
"""
