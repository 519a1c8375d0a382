"""Demonstrations: read, written, converted, checked against an environment."""
