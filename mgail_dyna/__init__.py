"""Adversarial imitation learning by planning."""
