"""Algorithms: parts from the floors below, put together."""
