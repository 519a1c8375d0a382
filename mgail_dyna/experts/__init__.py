"""Experts: trained with TRPO, recorded as demonstrations."""
