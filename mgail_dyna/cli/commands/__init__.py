"""One module per command of `run.py`; each has `main(argv)`."""
