"""The dispatch dialect (seed 000): one room for everybody, plain text on REST, raw text on one WebSocket.

    POST /signup    rest.signup     {username, password} -> 200 `Success`, 409 `Wrong format`, 409 `Already exists`
    POST /signin    rest.signin     {username, password} -> 200 the token, 409 `Wrong format`,
                                    401 `Wrong username/password`, 409 `Already in`
    GET  /connect   rest.connect    426, because the request is not an upgrade
    WS   /connect   socket.Accept   the client sends the token as the first frame, then texts; the server sends all
                                    messages of the lobby, old and new, as {from, body, timestamp}, and nothing else

`rules.py` checks requests, `encode.py` writes messages, `errors.py` has the texts of refusals, `options.py` has the
settings.
"""
