"""The rooms dialect (seed 001): numbered rooms, a bare token, plain-text errors, one WebSocket in one room at a time.

    POST /register      rest.register       {username, email, password} -> 201 {id, username, email, created-at}
    PUT  /login         rest.login          {email, password} -> {token}
    GET  /profile       rest.profile        -> {id, username, email, created-at}
    PUT  /change-name   rest.change_name    {username} -> {message}
    POST /create-room   rest.create_room    {name, is_private} -> 201 {id, name, is_private, creator_id}
    PUT  /join          rest.join           {room_id} -> {message}
    PUT  /invite        rest.invite         {room_id, user_id} -> {message}
    WS   /ws?token=     socket.Accept       the client sends {type, content}, the server {username, text, timestamp}
           join         presence.join       leaves the current room; all in the new one get `<name> joined the room`
           leave        presence.leave      the client gets `you leaved the room`, the others `<name> leaved the room`
           message      presence.send       all in the room get it, the client too

`Authorization` holds the bare token. A refusal is a line of text on REST, and a message from `error` on the socket.
`rules.py` checks requests and frames, `encode.py` writes values, `errors.py` has the texts of refusals, `options.py`
has the settings, and `legacy.py` reads the YAML file of the original server.
"""
