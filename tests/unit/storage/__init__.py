"""The log on real SQLite files."""
