"""The command line, `veche`."""
