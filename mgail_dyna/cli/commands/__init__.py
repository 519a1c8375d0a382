"""One module per command, with `main(argv)`. It reads the arguments; what is heavy is imported afterwards."""
