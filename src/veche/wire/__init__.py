"""Transports: a WebSocket protocol class for uvicorn, with its framing, handshake and heartbeat."""
