"""One session as a transcript, without I/O and without a loop."""

from __future__ import annotations

import logging

import pytest

from veche.wire.engineio.session import OUTBOX

from .talk import Talk


def test_polling():
    talk = Talk()
    session = talk.session
    assert talk.receives("4hello", b"\x01", "3") == ["text hello", "binary b'\\x01'", "answered"]
    assert talk.does(session.send(b"4one"), session.send_binary(b"two")) == []
    assert talk.polls() == ["wake"]
    assert talk.takes() == ["poll<< 4one\x1ebdHdv"]
    assert talk.polls() == []
    assert talk.does(session.send(b"4three"), session.send(b"4four")) == ["wake", "wake"]
    assert talk.takes() == ["poll<< 4three\x1e4four"]
    assert talk.polls() == []
    assert talk.does(session.beat()) == ["wake"]
    assert talk.takes() == ["poll<< 2"]


def test_websocket():
    talk = Talk(websocket=True)
    session = talk.session
    assert session.on_websocket
    assert talk.receives("4hello", b"\x01", "3") == ["text hello", "binary b'\\x01'", "answered"]
    assert talk.does(session.send(b"4one"), session.send_binary(b"two"), session.beat()) == [
        "ws<< 4one",
        "ws<< b'two'",
        "ws<< 2",
    ]


@pytest.mark.parametrize("packet", ["", "abc", "0", "2", "2probe", "5", "6", "7"])
def test_what_no_client_sends_ends_it(packet):
    talk = Talk(websocket=True)
    refusal = "closed: a packet that no client sends"
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
    assert talk.does(talk.session.send(b"4last"), talk.session.close(), talk.session.close()) == [
        "closed: server closed"
    ]
    assert talk.does(talk.session.send(b"4nobody hears it")) == []
    assert talk.polls() == ["wake"]
    assert talk.takes() == ["forgotten", "poll<< 4last\x1e4bye\x1e1"]

    talk = Talk(websocket=True)
    assert talk.does(talk.session.send(b"4last"), talk.session.close()) == [
        "ws<< 4last",
        "ws<< 4bye",
        "closed: server closed",
        "ws<< close",
        "forgotten",
    ]


def test_last_words_that_nobody_fetches():
    talk = Talk()
    assert talk.does(talk.session.close()) == ["closed: server closed"]
    assert talk.does(talk.session.beat()) == ["forgotten"]


def test_no_pong():
    talk = Talk()
    talk.polls()
    assert talk.does(talk.session.unanswered()) == ["closed: ping timeout", "wake", "forgotten", "forgotten"]
    assert talk.takes() == ["forgotten", "poll<< 1"]


def test_two_polls_at_once():
    talk = Talk()
    assert talk.does(talk.session.send(b"4dropped")) == []
    assert talk.polls() == ["wake"]
    assert talk.polls() == ["closed: two polls at once", "wake", "forgotten", "refused"]
    assert talk.takes() == ["forgotten", "poll<< 1"]


# The upgrade.


def test_upgrade():
    talk = Talk()
    session = talk.session
    kept = session.write
    talk.polls()
    assert talk.does(session.probe()) == ["wake"]
    assert talk.takes() == ["poll<< 6"]
    assert session.probed
    assert talk.polls() == [], "its transport answers a poll during the probe, before long"
    assert talk.takes() == ["poll<< 6"]
    assert talk.does(session.send(b"4one"), session.send_binary(b"two"), session.send(b"4three")) == []
    assert talk.does(session.upgrade(talk.wires)) == ["ws<< 4one", "ws<< b'two'", "ws<< 4three", "upgraded"]
    assert talk.does(session.send(b"4four"), kept(b"4five\x1e4six\x1e"), session.write(b"\x81\x024!")) == [
        "ws<< 4four",
        "ws<< 4five",
        "ws<< 4six",
        "ws<< 4!",
    ]


def test_what_waits_during_the_probe_goes_by_the_poll():
    talk = Talk()
    talk.session.probe()
    talk.session.send(b"4one")
    talk.polls()
    assert talk.takes() == ["poll<< 4one"]
    assert talk.does(talk.session.upgrade(talk.wires)) == ["upgraded"]


def test_a_poll_that_is_overtaken_by_the_upgrade_gets_a_noop():
    talk = Talk()
    talk.polls()
    talk.session.probe()
    talk.session.send(b"4one")
    assert talk.does(talk.session.upgrade(talk.wires)) == ["wake", "wake", "ws<< 4one", "wake", "upgraded"]
    assert talk.takes() == ["poll<< 6"]


def test_one_probe_at_a_time():
    session = Talk().session
    assert session.probe()
    assert not session.probe()
    session.give_up_probe()
    assert session.probe()
    session.close()
    assert not session.probe()
    assert not Talk(websocket=True).session.probe()


# Slow readers.


def test_an_outbox_is_bounded():
    talk = Talk()
    session = talk.session
    big = b"4" + b"x" * (OUTBOX // 2)
    assert talk.does(session.send(big)) == []
    assert talk.does(session.send(big), session.send(b"4more")) == ["paused"]
    assert not session.deaf
    assert talk.does(session.wait_for_room(lambda: talk.said.append("room"))) == []
    assert talk.polls() == ["wake"]
    assert talk.takes()[:3] == ["answered", "room", "resumed"]
    assert talk.does(session.wait_for_room(lambda: talk.said.append("room"))) == ["room"]


def test_an_upgrade_empties_a_full_outbox():
    talk = Talk()
    session = talk.session
    assert talk.does(session.send(b"4" + b"x" * OUTBOX)) == ["paused"]
    assert talk.does(session.upgrade(talk.wires)) == [
        "answered",
        "ws<< 4xxx... 1048577",
        "upgraded",
        "resumed",
    ]


def test_a_full_outbox_may_fill_the_websocket():
    talk = Talk(pausing_at=1000)
    session = talk.session
    assert talk.does(session.send(b"4" + b"x" * OUTBOX)) == ["paused"]
    assert talk.does(session.upgrade(talk.wires)) == ["answered", "paused", "ws<< 4xxx... 1048577", "upgraded"]
    assert session.deaf
    assert not talk.wires.reading
    assert talk.does(session.resume(), session.resume()) == ["answered", "resumed"]
    assert not session.deaf


def test_a_client_is_told_to_wait():
    talk = Talk()
    session = talk.session
    session.pause_reading()
    assert not session.deaf, "a poll would still come, so silence tells"
    assert talk.does(session.wait_for_room(lambda: talk.said.append("room"))) == []
    assert talk.does(session.resume_reading()) == ["answered", "room"]
    session.pause_reading()
    session.upgrade(talk.wires)
    assert session.deaf
    assert not talk.wires.reading
    talk.does(session.pause(), session.resume())
    assert not talk.wires.reading, "it reads again, but still has to wait"
    talk.does(session.pause(), session.resume_reading())
    assert not talk.wires.reading, "it need not wait any more, but does not read"
    session.resume()
    assert talk.wires.reading
    session.close()
    session.pause_reading()
    assert talk.wires.reading


def test_who_waits_for_room_is_told_of_the_end():
    talk = Talk()
    talk.session.send(b"4" + b"x" * OUTBOX)
    talk.session.wait_for_room(lambda: talk.said.append("room"))
    assert talk.does(talk.session.fail("x")) == ["paused", "room", "closed: x", "forgotten"]
