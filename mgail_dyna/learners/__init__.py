"""Learners: a network, its optimizer and its gradient steps, many of them in one compiled call.

Randomness (noise, permutations) comes in as arguments, drawn by NumPy generators whose state checkpoints keep. A
compiled call depends on its arguments and its variables alone.
"""
