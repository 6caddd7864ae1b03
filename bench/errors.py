"""The error of the benchmarks."""


class BenchError(Exception):
    """A figure cannot be measured. The message says why, and what to do."""
