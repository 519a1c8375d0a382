"""One run of imitation: its loop, its directory, its checkpoint."""
