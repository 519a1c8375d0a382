"""The mathematics: pure functions, one for each equation; no optimizer, no environment, no file."""
