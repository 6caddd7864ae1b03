"""How bytes move: the WebSocket fast lane inside uvicorn, its framing, handshake and heartbeat."""
