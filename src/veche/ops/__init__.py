"""Support for the chaos tests: crash points."""
