"""What is said in a room, and what is read there."""

from veche.core.accounts import RESERVED_IDS, SYSTEM_ID, Person
from veche.core.commands import MarkRead, PostNotice, ReadUpTo, SendMessage, Sent
from veche.core.decide.rooms import member_of
from veche.core.errors import ChatError, Code
from veche.core.events import Message, MessageRead, ReadMoved
from veche.core.needs import Needs
from veche.core.rooms import Kind, account_log
from veche.core.state import State
from veche.core.text import MAX_CLIENT_MESSAGE_ID, check_name, check_text


def check_send_message(command: SendMessage) -> None:
    """Refuse what no contract may store."""
    check_text(command.text)
    client_id = command.client_message_id
    if client_id is not None and not (client_id.isprintable() and 1 <= len(client_id) <= MAX_CLIENT_MESSAGE_ID):
        sentence = f"A client_message_id has 1 to {MAX_CLIENT_MESSAGE_ID} printable characters."
        raise ChatError(Code.INVALID, sentence, field="client_message_id")
    if command.author is not None:
        check_name(command.author, "author")


def needs_send_message(needs: Needs, command: SendMessage) -> None:
    """The room, the sender and their membership, and the message that has this client id."""
    room_id, by = command.room_id, command.by
    needs.rooms.add(room_id)
    needs.heads.add(room_id)
    needs.accounts.add(by)
    needs.members.add((room_id, by))
    if command.client_message_id is not None:
        needs.sent.add((by, command.client_message_id))
    needs.message_ids = True


def send_message(state: State, command: SendMessage, at: int) -> Sent:
    """Store a message once: the same `client_message_id` again gets the first answer."""
    client_id = command.client_message_id
    if client_id is not None and (first := state.sent.get((command.by, client_id))) is not None:
        return _repeat(first, command)
    room, sender = state.room(command.room_id), state.sender(command.by)
    if room.kind is not Kind.LOBBY:
        member_of(state, room, command.by)
    head = state.heads[room.id]
    message = Message(
        log_id=room.id,
        seq=head.last_seq + 1,
        id=state.next_message_id,
        sender=sender.person if command.author is None else Person(sender.id, command.author, command.author),
        text=command.text,
        client_message_id=client_id,
        origin=command.origin,
        at=at,
        number=head.message_count + 1,
    )
    state.record(message)
    return Sent(message, duplicate=False)


def check_post_notice(command: PostNotice) -> None:
    """Refuse what no contract may store."""
    check_text(command.text)


def needs_post_notice(needs: Needs, command: PostNotice) -> None:
    """The room, and who speaks for the server."""
    needs.rooms.add(command.room_id)
    needs.heads.add(command.room_id)
    needs.accounts.add(SYSTEM_ID)
    needs.message_ids = True


def post_notice(state: State, command: PostNotice, at: int) -> Sent:
    """Store what the server says in a room."""
    room, head = state.room(command.room_id), state.heads[command.room_id]
    notice = Message(
        log_id=room.id,
        seq=head.last_seq + 1,
        id=state.next_message_id,
        sender=state.sender(SYSTEM_ID).person,
        text=command.text,
        client_message_id=None,
        origin=command.origin,
        at=at,
        number=head.message_count,
        kind="notice",
    )
    state.record(notice)
    return Sent(notice, duplicate=False)


def _repeat(first: Message, command: SendMessage) -> Sent:
    if (first.log_id, first.text) != (command.room_id, command.text):
        raise ChatError(Code.IDEMPOTENCY_MISMATCH, "This client_message_id was used for another message.")
    return Sent(first, duplicate=True)


def needs_read_up_to(needs: Needs, command: ReadUpTo) -> None:
    """The membership, and how many messages stand up to the seq."""
    needs.membership(command.room_id, command.by)
    needs.counts.add((command.room_id, command.seq))


def read_up_to(state: State, command: ReadUpTo, at: int) -> None:
    """Move the read pointer forward, never back and never beyond the head."""
    room, _ = state.room(command.room_id), state.account(command.by)
    head = state.heads[room.id]
    key = (room.id, command.by)
    if room.kind is Kind.LOBBY:
        read_seq = state.members[key].read_seq if key in state.members else 0
    else:
        read_seq = member_of(state, room, command.by).read_seq
    seq = min(command.seq, head.last_seq)
    if seq > read_seq:
        _move_pointer(state, command.by, room.id, seq, state.count_upto(room.id, command.seq), at)


def needs_mark_read(needs: Needs, command: MarkRead) -> None:
    """The membership, and the message."""
    needs.membership(command.room_id, command.by)
    needs.messages.add(command.message_id)


def mark_read(state: State, command: MarkRead, at: int) -> None:
    """Mark one message as read the first time, move the reader's pointer up to it, and tell its author."""
    room, _ = state.room(command.room_id), state.account(command.by)
    member = member_of(state, room, command.by) if room.kind is not Kind.LOBBY else None
    message = state.messages.get(command.message_id)
    if message is None or message.log_id != room.id:
        raise ChatError(Code.NOT_FOUND, "No such message.", what="message")
    if member is not None and message.seq > member.read_seq:
        _move_pointer(state, command.by, room.id, message.seq, message.number, at)
    if message.id not in state.read_messages and message.sender.id < RESERVED_IDS:
        log_id = account_log(message.sender.id)
        state.record(MessageRead(log_id, state.next_seq(log_id), room.id, message.id, command.by, at))


def _move_pointer(state: State, account_id: int, room_id: int, seq: int, count: int, at: int) -> None:
    log_id = account_log(account_id)
    state.record(ReadMoved(log_id, state.next_seq(log_id), room_id, seq, count, at))
