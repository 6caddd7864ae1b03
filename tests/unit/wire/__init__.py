"""The wire: frames as bytes, and whole connections over real sockets of a real uvicorn."""
