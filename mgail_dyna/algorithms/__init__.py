"""Algorithms: learners, replay and rollouts put together, one agent per algorithm."""
