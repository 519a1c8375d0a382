"""Every hyperparameter, documented and validated. The docstring under a field is its help on the command line."""
