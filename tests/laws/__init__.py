"""What everybody relies on, over a running server and real sockets."""
