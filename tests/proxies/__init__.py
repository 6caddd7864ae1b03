"""Proxies in front of a running server."""
