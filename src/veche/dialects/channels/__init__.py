"""The channels dialect (seed 003): an echo with a history, and a public channel, with raw text on both sockets.

    POST /register              rest.register   {username, password} -> 201, empty
    POST /login                 rest.login      {username, password} -> {token}
    GET  /echo_ws               rest.link       -> {link}; connecting by the link needs no header
    GET  /pub_ws                rest.link       -> {link}
    GET  /history               rest.history    -> [{time, source, message}]: closed conversations with the echo
    WS   /echo_ws/{username}    echo.Echo       sends back each text, or the upstream's answer to it
    WS   /pub_ws/{username}     public.Public   sends a greeting, then the lobby since the server started: `name: text`

As in the original, the REST paths are also served under /api/v1. `rules.py` checks requests, `links.py` makes and
checks links, `socket.py` is the part that both sockets share, `upstream.py` is the client of the echo's upstream,
`encode.py` writes values, `errors.py` has the texts of refusals, `options.py` has the settings, and `legacy.py` reads
the settings of the original server.
"""
