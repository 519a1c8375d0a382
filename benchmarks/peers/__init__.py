"""The package's updates in other libraries, from the same weights and data, for `benchmarks/compare.py` alone."""
