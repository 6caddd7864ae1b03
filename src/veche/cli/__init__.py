"""The command `veche`."""
