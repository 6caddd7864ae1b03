"""The rooms dialect (seed 001): numbered rooms, a bare token, plain-text errors, one WebSocket in one room at a time.

    POST /register      rest.register       {username, email, password} -> 201 {id, username, email, created-at}
    PUT  /login         rest.login          {email, password} -> {token}
    GET  /profile       rest.profile        -> {id, username, email, created-at}
    PUT  /change-name   rest.change_name    {username} -> {message}
    POST /create-room   rest.create_room    {name, is_private} -> 201 {id, name, is_private, creator_id}
    PUT  /join          rest.join           {room_id} -> {message}
    PUT  /invite        rest.invite         {room_id, user_id} -> {message}
    WS   /ws?token=     socket.Accept       {type, content} in, {username, text, timestamp} out
           join         presence.join       leaves the current room; `<name> joined the room` to all, itself included
           leave        presence.leave      `you leaved the room` to itself, `<name> leaved the room` to the rest
           message      presence.send       to all in the room, itself included

`Authorization` holds the bare token. On REST a refusal is a line of text; on the socket it is a message from `error`.
`rules.py` checks requests and frames, `encode.py` writes values, `errors.py` has the texts of refusals, `options.py`
has the settings, and `legacy.py` reads the YAML file of the original server.
"""
