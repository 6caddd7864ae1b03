"""Veche: a self-hosted chat server with one durable log behind many wire contracts."""

__version__ = "0.1.0"
