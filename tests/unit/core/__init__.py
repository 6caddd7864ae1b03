"""Decisions as plain calls: a state, a command, and what was recorded."""
