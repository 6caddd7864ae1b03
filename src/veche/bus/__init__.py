"""The bell: tells every node that there is something new in the log."""
