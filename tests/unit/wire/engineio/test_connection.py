"""One connection without I/O and without an event loop."""

from __future__ import annotations

import logging

import pytest

from veche.wire.engineio.connection import MAX_OUTBOX

from .talk import Transcript


def test_polling():
    transcript = Transcript()
    connection = transcript.connection
    assert transcript.receives("4hello", b"\x01", "3") == ["text hello", "binary b'\\x01'", "answered"]
    assert transcript.does(connection.send(b"4one"), connection.send_binary(b"two")) == []
    assert transcript.polls() == ["wake"]
    assert transcript.takes() == ["poll<< 4one\x1ebdHdv"]
    assert transcript.polls() == []
    assert transcript.does(connection.send(b"4three"), connection.send(b"4four")) == ["wake", "wake"]
    assert transcript.takes() == ["poll<< 4three\x1e4four"]
    assert transcript.polls() == []
    assert transcript.does(connection.send_ping()) == ["wake"]
    assert transcript.takes() == ["poll<< 2"]


def test_websocket():
    transcript = Transcript(websocket=True)
    connection = transcript.connection
    assert connection.on_websocket
    assert transcript.receives("4hello", b"\x01", "3") == ["text hello", "binary b'\\x01'", "answered"]
    assert transcript.does(connection.send(b"4one"), connection.send_binary(b"two"), connection.send_ping()) == [
        "ws<< 4one",
        "ws<< b'two'",
        "ws<< 2",
    ]


@pytest.mark.parametrize("packet", ["", "abc", "0", "2", "2probe", "5", "6", "7"])
def test_an_invalid_packet_ends_the_connection(packet):
    transcript = Transcript(websocket=True)
    refusal = "closed: a packet that a client must not send"
    assert transcript.receives(packet, "4more") == [refusal, "ws<< close", "forgotten", "refused"]


def test_a_malformed_message_ends_the_connection():
    assert Transcript().receives("4malformed", "4more") == ["closed: malformed", "forgotten", "refused"]


def test_an_exception_ends_the_connection_and_is_logged_once(caplog):
    with caplog.at_level(logging.ERROR, "veche.wire"):
        assert Transcript().receives("4bug", "4more") == ["closed: internal error", "forgotten", "refused"]
    assert len(caplog.records) == 1


# Closing.


def test_the_client_closes():
    transcript = Transcript()
    transcript.polls()
    assert transcript.receives("1") == ["closed: client closed", "wake"]
    assert transcript.takes() == ["forgotten", "poll<< 6"]

    transcript = Transcript(websocket=True)
    assert transcript.receives("1", "4more") == ["closed: client closed", "ws<< close", "forgotten"]


def test_the_server_closes_after_its_last_packets():
    transcript = Transcript()
    assert transcript.does(
        transcript.connection.send(b"4last"), transcript.connection.close(), transcript.connection.close()
    ) == ["closed: server closed"]
    assert transcript.does(transcript.connection.send(b"4after the close")) == []
    assert transcript.polls() == ["wake"]
    assert transcript.takes() == ["forgotten", "poll<< 4last\x1e4bye\x1e1"]

    transcript = Transcript(websocket=True)
    assert transcript.does(transcript.connection.send(b"4last"), transcript.connection.close()) == [
        "ws<< 4last",
        "ws<< 4bye",
        "closed: server closed",
        "ws<< close",
        "forgotten",
    ]


def test_a_closed_connection_without_a_poll_is_forgotten():
    transcript = Transcript()
    assert transcript.does(transcript.connection.close()) == ["closed: server closed"]
    assert transcript.does(transcript.connection.send_ping()) == ["forgotten"]


def test_no_pong():
    transcript = Transcript()
    transcript.polls()
    assert transcript.does(transcript.connection.unanswered()) == [
        "closed: ping timeout",
        "wake",
        "forgotten",
        "forgotten",
    ]
    assert transcript.takes() == ["forgotten", "poll<< 1"]


def test_two_polls_at_once():
    transcript = Transcript()
    assert transcript.does(transcript.connection.send(b"4dropped")) == []
    assert transcript.polls() == ["wake"]
    assert transcript.polls() == ["closed: two polls at once", "wake", "forgotten", "refused"]
    assert transcript.takes() == ["forgotten", "poll<< 1"]


# The upgrade.


def test_upgrade():
    transcript = Transcript()
    connection = transcript.connection
    polling_write = connection.write
    transcript.polls()
    assert transcript.does(connection.probe()) == ["wake"]
    assert transcript.takes() == ["poll<< 6"]
    assert connection.probing
    assert transcript.polls() == [], "during a probe, Polling answers the poll after a timeout"
    assert transcript.takes() == ["poll<< 6"]
    assert transcript.does(connection.send(b"4one"), connection.send_binary(b"two"), connection.send(b"4three")) == []
    assert transcript.does(connection.upgrade(transcript.websocket)) == [
        "ws<< 4one",
        "ws<< b'two'",
        "ws<< 4three",
        "upgraded",
    ]
    assert transcript.does(
        connection.send(b"4four"), polling_write(b"4five\x1e4six\x1e"), connection.write(b"\x81\x024!")
    ) == [
        "ws<< 4four",
        "ws<< 4five",
        "ws<< 4six",
        "ws<< 4!",
    ]


def test_a_poll_during_the_probe_takes_the_outbox():
    transcript = Transcript()
    transcript.connection.probe()
    transcript.connection.send(b"4one")
    transcript.polls()
    assert transcript.takes() == ["poll<< 4one"]
    assert transcript.does(transcript.connection.upgrade(transcript.websocket)) == ["upgraded"]


def test_a_poll_during_the_upgrade_gets_a_noop():
    transcript = Transcript()
    transcript.polls()
    transcript.connection.probe()
    transcript.connection.send(b"4one")
    assert transcript.does(transcript.connection.upgrade(transcript.websocket)) == [
        "wake",
        "wake",
        "ws<< 4one",
        "wake",
        "upgraded",
    ]
    assert transcript.takes() == ["poll<< 6"]


def test_only_one_probe_at_a_time():
    connection = Transcript().connection
    assert connection.probe()
    assert not connection.probe()
    connection.cancel_probe()
    assert connection.probe()
    connection.close()
    assert not connection.probe()
    assert not Transcript(websocket=True).connection.probe()


# Slow readers.


def test_a_full_outbox_pauses_the_connection():
    transcript = Transcript()
    connection = transcript.connection
    big = b"4" + b"x" * (MAX_OUTBOX // 2)
    assert transcript.does(connection.send(big)) == []
    assert transcript.does(connection.send(big), connection.send(b"4more")) == ["paused"]
    assert not connection.reading_paused
    assert transcript.does(connection.call_when_reading(lambda: transcript.lines.append("post resumed"))) == []
    assert transcript.polls() == ["wake"]
    assert transcript.takes()[:3] == ["answered", "post resumed", "resumed"]
    assert transcript.does(connection.call_when_reading(lambda: transcript.lines.append("post resumed"))) == [
        "post resumed"
    ]


def test_an_upgrade_empties_a_full_outbox():
    transcript = Transcript()
    connection = transcript.connection
    assert transcript.does(connection.send(b"4" + b"x" * MAX_OUTBOX)) == ["paused"]
    assert transcript.does(connection.upgrade(transcript.websocket)) == [
        "answered",
        "ws<< 4xxx... 1048577",
        "upgraded",
        "resumed",
    ]


def test_a_full_outbox_can_pause_the_websocket():
    transcript = Transcript(pausing_at=1000)
    connection = transcript.connection
    assert transcript.does(connection.send(b"4" + b"x" * MAX_OUTBOX)) == ["paused"]
    assert transcript.does(connection.upgrade(transcript.websocket)) == [
        "answered",
        "paused",
        "ws<< 4xxx... 1048577",
        "upgraded",
    ]
    assert connection.reading_paused
    assert not transcript.websocket.reading
    assert transcript.does(connection.resume(), connection.resume()) == ["answered", "resumed"]
    assert not connection.reading_paused


def test_the_application_pauses_reading():
    transcript = Transcript()
    connection = transcript.connection
    connection.pause_reading()
    assert not connection.reading_paused, "on polling, a pong can still come"
    assert transcript.does(connection.call_when_reading(lambda: transcript.lines.append("post resumed"))) == []
    assert transcript.does(connection.resume_reading()) == ["answered", "post resumed"]
    connection.pause_reading()
    connection.upgrade(transcript.websocket)
    assert connection.reading_paused
    assert not transcript.websocket.reading
    transcript.does(connection.pause(), connection.resume())
    assert not transcript.websocket.reading, "the application still pauses reading"
    transcript.does(connection.pause(), connection.resume_reading())
    assert not transcript.websocket.reading, "the client still reads too slowly"
    connection.resume()
    assert transcript.websocket.reading
    connection.close()
    connection.pause_reading()
    assert transcript.websocket.reading


def test_a_waiting_post_is_released_when_the_connection_ends():
    transcript = Transcript()
    transcript.connection.send(b"4" + b"x" * MAX_OUTBOX)
    transcript.connection.call_when_reading(lambda: transcript.lines.append("post resumed"))
    assert transcript.does(transcript.connection.fail("x")) == ["paused", "post resumed", "closed: x", "forgotten"]
