"""The channels dialect (seed 003): an echo with a history, and a public channel, with raw text on both sockets.

    POST /register              rest.register   {username, password} -> 201, empty
    POST /login                 rest.login      {username, password} -> {token}
    GET  /echo_ws               rest.link       -> {link}, which needs no header to connect
    GET  /pub_ws                rest.link       -> {link}
    GET  /history               rest.history    -> [{time, source, message}]: closed conversations with the echo
    WS   /echo_ws/{username}    echo.Echo       text in, the same text out, or the answer of the upstream
    WS   /pub_ws/{username}     public.Public   a greeting, the lobby since the server started, `name: text`

REST is served under /api/v1 too, as by the original. `rules.py` checks requests, `links.py` makes and checks links,
`socket.py` is the part that both sockets share, `upstream.py` is the client of the echo's upstream, `encode.py` writes
values, `errors.py` has the texts of refusals, `options.py` has the settings, and `legacy.py` reads those of the
original server.
"""
