"""One connection as a transcript, without I/O and without a loop."""

from __future__ import annotations

import logging

import pytest

from veche.wire.engineio.connection import MAX_OUTBOX

from .talk import Talk


def test_polling():
    talk = Talk()
    connection = talk.connection
    assert talk.receives("4hello", b"\x01", "3") == ["text hello", "binary b'\\x01'", "answered"]
    assert talk.does(connection.send(b"4one"), connection.send_binary(b"two")) == []
    assert talk.polls() == ["wake"]
    assert talk.takes() == ["poll<< 4one\x1ebdHdv"]
    assert talk.polls() == []
    assert talk.does(connection.send(b"4three"), connection.send(b"4four")) == ["wake", "wake"]
    assert talk.takes() == ["poll<< 4three\x1e4four"]
    assert talk.polls() == []
    assert talk.does(connection.send_ping()) == ["wake"]
    assert talk.takes() == ["poll<< 2"]


def test_websocket():
    talk = Talk(websocket=True)
    connection = talk.connection
    assert connection.on_websocket
    assert talk.receives("4hello", b"\x01", "3") == ["text hello", "binary b'\\x01'", "answered"]
    assert talk.does(connection.send(b"4one"), connection.send_binary(b"two"), connection.send_ping()) == [
        "ws<< 4one",
        "ws<< b'two'",
        "ws<< 2",
    ]


@pytest.mark.parametrize("packet", ["", "abc", "0", "2", "2probe", "5", "6", "7"])
def test_what_no_client_sends_ends_it(packet):
    talk = Talk(websocket=True)
    refusal = "closed: a packet that a client must not send"
    assert talk.receives(packet, "4more") == [refusal, "ws<< close", "forgotten", "refused"]


def test_a_malformed_message_ends_it():
    assert Talk().receives("4malformed", "4more") == ["closed: malformed", "forgotten", "refused"]


def test_a_bug_ends_it_and_is_logged_once(caplog):
    with caplog.at_level(logging.ERROR, "veche.wire"):
        assert Talk().receives("4bug", "4more") == ["closed: internal error", "forgotten", "refused"]
    assert len(caplog.records) == 1


# The end.


def test_the_client_closes():
    talk = Talk()
    talk.polls()
    assert talk.receives("1") == ["closed: client closed", "wake"]
    assert talk.takes() == ["forgotten", "poll<< 6"]

    talk = Talk(websocket=True)
    assert talk.receives("1", "4more") == ["closed: client closed", "ws<< close", "forgotten"]


def test_we_close_and_what_was_written_is_read():
    talk = Talk()
    assert talk.does(talk.connection.send(b"4last"), talk.connection.close(), talk.connection.close()) == [
        "closed: server closed"
    ]
    assert talk.does(talk.connection.send(b"4nobody hears it")) == []
    assert talk.polls() == ["wake"]
    assert talk.takes() == ["forgotten", "poll<< 4last\x1e4bye\x1e1"]

    talk = Talk(websocket=True)
    assert talk.does(talk.connection.send(b"4last"), talk.connection.close()) == [
        "ws<< 4last",
        "ws<< 4bye",
        "closed: server closed",
        "ws<< close",
        "forgotten",
    ]


def test_last_words_that_nobody_fetches():
    talk = Talk()
    assert talk.does(talk.connection.close()) == ["closed: server closed"]
    assert talk.does(talk.connection.send_ping()) == ["forgotten"]


def test_no_pong():
    talk = Talk()
    talk.polls()
    assert talk.does(talk.connection.unanswered()) == ["closed: ping timeout", "wake", "forgotten", "forgotten"]
    assert talk.takes() == ["forgotten", "poll<< 1"]


def test_two_polls_at_once():
    talk = Talk()
    assert talk.does(talk.connection.send(b"4dropped")) == []
    assert talk.polls() == ["wake"]
    assert talk.polls() == ["closed: two polls at once", "wake", "forgotten", "refused"]
    assert talk.takes() == ["forgotten", "poll<< 1"]


# The upgrade.


def test_upgrade():
    talk = Talk()
    connection = talk.connection
    kept = connection.write
    talk.polls()
    assert talk.does(connection.probe()) == ["wake"]
    assert talk.takes() == ["poll<< 6"]
    assert connection.probing
    assert talk.polls() == [], "its transport answers a poll during the probe, before long"
    assert talk.takes() == ["poll<< 6"]
    assert talk.does(connection.send(b"4one"), connection.send_binary(b"two"), connection.send(b"4three")) == []
    assert talk.does(connection.upgrade(talk.wires)) == ["ws<< 4one", "ws<< b'two'", "ws<< 4three", "upgraded"]
    assert talk.does(connection.send(b"4four"), kept(b"4five\x1e4six\x1e"), connection.write(b"\x81\x024!")) == [
        "ws<< 4four",
        "ws<< 4five",
        "ws<< 4six",
        "ws<< 4!",
    ]


def test_what_waits_during_the_probe_goes_by_the_poll():
    talk = Talk()
    talk.connection.probe()
    talk.connection.send(b"4one")
    talk.polls()
    assert talk.takes() == ["poll<< 4one"]
    assert talk.does(talk.connection.upgrade(talk.wires)) == ["upgraded"]


def test_a_poll_that_is_overtaken_by_the_upgrade_gets_a_noop():
    talk = Talk()
    talk.polls()
    talk.connection.probe()
    talk.connection.send(b"4one")
    assert talk.does(talk.connection.upgrade(talk.wires)) == ["wake", "wake", "ws<< 4one", "wake", "upgraded"]
    assert talk.takes() == ["poll<< 6"]


def test_one_probe_at_a_time():
    connection = Talk().connection
    assert connection.probe()
    assert not connection.probe()
    connection.cancel_probe()
    assert connection.probe()
    connection.close()
    assert not connection.probe()
    assert not Talk(websocket=True).connection.probe()


# Slow readers.


def test_an_outbox_is_bounded():
    talk = Talk()
    connection = talk.connection
    big = b"4" + b"x" * (MAX_OUTBOX // 2)
    assert talk.does(connection.send(big)) == []
    assert talk.does(connection.send(big), connection.send(b"4more")) == ["paused"]
    assert not connection.reading_paused
    assert talk.does(connection.call_when_reading(lambda: talk.said.append("room"))) == []
    assert talk.polls() == ["wake"]
    assert talk.takes()[:3] == ["answered", "room", "resumed"]
    assert talk.does(connection.call_when_reading(lambda: talk.said.append("room"))) == ["room"]


def test_an_upgrade_empties_a_full_outbox():
    talk = Talk()
    connection = talk.connection
    assert talk.does(connection.send(b"4" + b"x" * MAX_OUTBOX)) == ["paused"]
    assert talk.does(connection.upgrade(talk.wires)) == [
        "answered",
        "ws<< 4xxx... 1048577",
        "upgraded",
        "resumed",
    ]


def test_a_full_outbox_may_fill_the_websocket():
    talk = Talk(pausing_at=1000)
    connection = talk.connection
    assert talk.does(connection.send(b"4" + b"x" * MAX_OUTBOX)) == ["paused"]
    assert talk.does(connection.upgrade(talk.wires)) == ["answered", "paused", "ws<< 4xxx... 1048577", "upgraded"]
    assert connection.reading_paused
    assert not talk.wires.reading
    assert talk.does(connection.resume(), connection.resume()) == ["answered", "resumed"]
    assert not connection.reading_paused


def test_a_client_is_told_to_wait():
    talk = Talk()
    connection = talk.connection
    connection.pause_reading()
    assert not connection.reading_paused, "a poll would still come, so silence tells"
    assert talk.does(connection.call_when_reading(lambda: talk.said.append("room"))) == []
    assert talk.does(connection.resume_reading()) == ["answered", "room"]
    connection.pause_reading()
    connection.upgrade(talk.wires)
    assert connection.reading_paused
    assert not talk.wires.reading
    talk.does(connection.pause(), connection.resume())
    assert not talk.wires.reading, "it reads again, but still has to wait"
    talk.does(connection.pause(), connection.resume_reading())
    assert not talk.wires.reading, "it need not wait any more, but does not read"
    connection.resume()
    assert talk.wires.reading
    connection.close()
    connection.pause_reading()
    assert talk.wires.reading


def test_who_waits_for_room_is_told_of_the_end():
    talk = Talk()
    talk.connection.send(b"4" + b"x" * MAX_OUTBOX)
    talk.connection.call_when_reading(lambda: talk.said.append("room"))
    assert talk.does(talk.connection.fail("x")) == ["paused", "room", "closed: x", "forgotten"]
