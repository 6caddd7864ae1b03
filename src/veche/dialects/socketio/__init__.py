"""The socketio contract (seed 002): one room for everybody over Socket.IO, a JSON REST below /api.

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

`rules.py` says what a body may hold, `lines.py` what an event may, `encode.py` how values leave, `errors.py` how
refusals read, `options.py` what an operator may choose. Polling, upgrade, heartbeats and CORS of /socket.io/ are
`wire.engineio`'s.
"""
