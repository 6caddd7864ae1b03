"""Public protocol test suites, run against `veche.wire`."""
