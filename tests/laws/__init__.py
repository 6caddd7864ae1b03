"""Tests of the promises to all clients, over a running server and real sockets."""
