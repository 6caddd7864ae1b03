"""Tests of `veche.wire`: functions without I/O, and whole connections to a uvicorn server over real sockets."""
