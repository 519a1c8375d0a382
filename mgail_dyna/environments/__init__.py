"""Environments: made, acted in, filmed."""
