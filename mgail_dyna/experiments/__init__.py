"""Many runs, each its own process: done once, recorded once, whatever is killed on the way."""
