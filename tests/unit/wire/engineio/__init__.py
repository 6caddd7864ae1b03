"""Tests of `veche.wire.engineio` and `veche.wire.socketio`."""
