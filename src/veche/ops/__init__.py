"""Support for tests of operation: crash points."""
