"""The connected clients of this process, and how each gets every entry of a log once and in order."""
