"""Attacks on a running server: what one client may cost everybody else."""
