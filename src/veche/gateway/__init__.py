"""A client of a dialect: its connection, its waiting commands, HTTP, and one application of several dialects."""
