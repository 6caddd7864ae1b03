"""Tests of `service`: accounts, tokens, passwords, login limits, history."""
