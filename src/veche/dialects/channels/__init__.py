"""The channels contract (seed 003): an echo with its history, and a public channel; raw text on both sockets.

    POST /register              rest.register   {username, password} -> 201, empty
    POST /login                 rest.login      {username, password} -> {token}
    GET  /echo_ws               rest.link       -> {link}, which connects as it is
    GET  /pub_ws                rest.link       -> {link}
    GET  /history               rest.history    -> [{time, source, message}]: conversations with the echo that are over
    WS   /echo_ws/{username}    echo.Echo       text in, the same text out; proxied: what the upstream answers
    WS   /pub_ws/{username}     public.Public   a greeting, the lobby since the server started, `name: text`

REST is served below /api/v1 too, as in the source. `rules.py` says what a request may hold, `links.py` makes the links
and judges who comes by them, `socket.py` is what both sockets have alike, `upstream.py` is the echo's upstream,
`options.py` what an operator may choose, `legacy.py` what the original server called it, `encode.py` how values leave,
`errors.py` how refusals read.
"""
