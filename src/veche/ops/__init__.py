"""What serves the operator and the tests of operation: logs, crash points."""
