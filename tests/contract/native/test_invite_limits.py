"""How many people one may invite is limited, over REST and on the socket alike."""

from __future__ import annotations

from conftest import Servers
from transcript import Head

from .people import Person, send_command


def test_invitations_are_limited(servers: Servers) -> None:
    running = servers.new(Head(own=True, env=(("VECHE_MEMBERS_PER_HOUR", "100"),)))
    ann, *others = people = [Person.new(running.base) for _ in range(4)]
    try:
        room = ann.make_room()
        bodies = [{"account_id": one.id} for one in others]
        for _ in range(98):  # who does not exist counts, too
            assert ann.http.post(f"/v1/rooms/{room}/invitations", json={"account_id": 10**9}).status_code == 404
        ann.call("POST", f"/rooms/{room}/invitations", bodies[0])
        socket, _ = ann.listen()
        assert "invite" in send_command(socket, 1, invite={"room_id": room, **bodies[1]})[-1]
        refusal = send_command(socket, 2, invite={"room_id": room, **bodies[2]})[-1]["error"]
        assert (refusal["code"], refusal["temporary"]) == ("rate_limited", True)
        answer = ann.http.post(f"/v1/rooms/{room}/invitations", json=bodies[2])
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    finally:
        for person in people:
            person.close()
        running.end()
