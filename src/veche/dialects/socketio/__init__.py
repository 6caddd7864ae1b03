"""The socketio dialect (seed 002): one room for everybody over Socket.IO, and JSON REST under /api.

    POST /api/auth/login        rest.login      {username, password}, JSON or a form -> {token, user: {id, username}},
                                                400 {error: Missing username or password},
                                                401 {error: Invalid username or password}, 400 `Invalid JSON`
    POST /api/auth/register     rest.register   {username, password} -> 201 {token, user: {id, username}},
                                                400 as above, 409 {error: Username already exists}
    GET  /api/users             rest.users      Bearer -> [{id, username}], by id
    GET  /api/messages          rest.messages   Bearer -> [text], the last 50 of the lobby, oldest first
    /socket.io/                 socket.SocketioHandler
                                                auth {token}, or connect_error `Unauthorized`;
                                                `message` {userId, content} | {id, author, text} | "text" in,
                                                `message` {id, author, text, userId, content, timestamp} | "text" out

`rules.py` checks bodies, `lines.py` checks events, `encode.py` writes values, `errors.py` has the texts of refusals,
`options.py` has the settings. `wire.engineio` does polling, upgrades, heartbeats and CORS of /socket.io/.
"""
