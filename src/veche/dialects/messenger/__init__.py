"""The messenger dialect (seed 004): private and group chats, JSON REST at the root, one WebSocket for each chat.

    POST /register                      rest.register   {email, password, name} -> 201 {email, name, id}
    POST /login                         rest.login      {email, password} -> {access_token, token_type}
    GET  /me                            rest.me         -> {email, name, id}
    GET  /chats                         rest.chats      -> [{name, chat_type, id}]
    POST /chats                         rest.make_chat  {name, chat_type, member_ids} -> {name, chat_type, id}
    GET  /chats/{chat_id}/messages      rest.messages   -> [message], all of them, oldest first
    POST /chats/{chat_id}/messages      rest.send       {text, client_message_id} -> message
    GET  /history/{chat_id}             rest.history    ?limit&offset -> {items, total, offset, limit}
    GET  /health                        rest.health     -> {status}
    WS   /ws/{chat_id}?token=           socket.Accept   {type: message, text} and {type: read, message_id}, from client
                                                        and server

`rules.py` checks requests, `encode.py` writes values, `errors.py` has the texts of refusals, `options.py` has the
settings, and `legacy.py` reads the settings of the original server.
"""
