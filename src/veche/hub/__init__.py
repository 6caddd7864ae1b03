"""Writes the entries of logs to the connected clients of this process: each entry once, and in order."""
