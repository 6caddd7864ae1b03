"""Veche against the app most people would write and against what the machine can do: ratios within one run."""
