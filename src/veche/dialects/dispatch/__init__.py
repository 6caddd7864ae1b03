"""The dispatch contract (seed 000): one room for everybody, bare words on REST, raw text on one WebSocket.

    POST /signup    rest.signup     {username, password} -> 200 `Success`, 409 `Wrong format`, 409 `Already exists`
    POST /signin    rest.signin     {username, password} -> 200 the token, 409 `Wrong format`,
                                    401 `Wrong username/password`, 409 `Already in`
    GET  /connect   rest.connect    without an upgrade 426
    WS   /connect   socket.Accept   the first text frame is the token; then all of the lobby, and what comes after;
                                    text in, {from, body, timestamp} out, nothing else

`rules.py` says what a request may hold, `encode.py` how messages leave, `errors.py` how refusals read.
"""
