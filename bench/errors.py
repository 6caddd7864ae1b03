"""What can keep a figure from being measured."""


class BenchError(Exception):
    """A figure cannot be measured; the message says why, and what to do."""
