/** The values of the native contract, as they are on the wire (docs/native.md of the server). */
/** A room's id, an account's id or a message's id. They count up from 1, so a number holds them. */
export type Id = number;
/** The number of an entry in its log, from 1. */
export type Seq = number;
/** RFC 3339 in UTC, with microseconds. */
export type Time = string;
export interface Person {
    id: Id;
    username: string;
    name: string;
}
export interface Account extends Person {
    email: string | null;
}
export type RoomKind = "direct" | "group" | "channel" | "lobby";
/** A room as the answer to `hello` has it, as of its `head_seq`. `unread` to `role` are null for who is no member. */
export interface Room {
    id: Id;
    kind: RoomKind;
    name: string;
    head_seq: Seq;
    unread: number | null;
    mentions: number | null;
    read_seq: Seq | null;
    role: string | null;
    /** The other person of a direct room. */
    peer?: Person;
    /** This, and what follows, is there if it is set. */
    topic?: string;
    archived?: boolean;
    slow_seconds?: number;
    /** Your notification level, if it is not "all". */
    notify?: "mentions" | "none";
}
/** A room as REST has it. */
export interface FullRoom extends Room {
    created_at: Time;
    last_message: Message | null;
}
export interface Member extends Person {
    role: string;
    joined_at: Time;
}
export interface Message {
    id: Id;
    room_id: Id;
    seq: Seq;
    kind: string;
    sender: Person;
    text: string;
    client_message_id: string | null;
    origin: string;
    at: Time;
    /** How often it was changed; missing if it was not. */
    revision?: number;
    /** Missing if its text was not changed. */
    edited_at?: Time;
    /** Who deleted it; missing if it is not deleted. */
    deleted_by_id?: Id;
    /** The message that it answers. */
    reply_to?: {
        id: Id;
        seq: Seq;
    };
    /** The thread that it is in: the id of the thread's first message. */
    thread_id?: Id;
    thread_seq?: number;
    /** How many messages of its thread follow it, if it begins one. */
    replies?: number;
    last_reply_seq?: Seq;
    /** Whom it mentions. */
    mentions?: Id[];
    mentions_room?: boolean;
    /** In messages that are fetched, and never in events. */
    reactions?: Reaction[];
    files?: File[];
}
export interface File {
    id: string;
    name: string;
    /** In bytes. */
    size: number;
    type: string;
    /** Of an image, in pixels. */
    width?: number;
    height?: number;
}
export interface Reaction {
    emoji: string;
    count: number;
    /** Whether you are among them. */
    mine: boolean;
}
export interface Page<Item> {
    items: Item[];
    /** For the next page; null on the last one. */
    cursor: string | null;
}
export interface History {
    /** Oldest first. */
    items: Message[];
    has_more_before: boolean;
    has_more_after: boolean;
    head_seq: Seq;
}
export interface Session {
    token: string;
    /** In seconds. */
    expires_in: number;
    me: Account;
    refresh_token?: string;
    /** In seconds. */
    refresh_expires_in?: number;
}
/** Tokens that replace those of the session. Store both before you use them. Times are in seconds. */
export interface Tokens {
    token: string;
    expires_in: number;
    refresh_token: string;
    refresh_expires_in: number;
}
/** The answer to a command that is stored. */
export interface Stored {
    room_id: Id;
    /** Whether an earlier attempt stored it. */
    duplicate: boolean;
}
/** The answer to `send`. */
export interface Sent extends Stored {
    seq: Seq;
    message_id: Id;
    client_message_id: string;
    at: Time;
}
/** The answer to `edit` and `delete`. The room's events up to `seq` show the result. */
export interface Changed extends Stored {
    seq: Seq;
    message_id: Id;
    revision: number;
}
/** The answer to `react`, `unreact`, `pin` and `unpin`. The room's events up to `seq` show the result. */
export interface Marked extends Stored {
    seq: Seq;
    message_id: Id;
}
/** The answer to `role`, `ban`, `unban`, `invite` and `uninvite`. The room's events up to `seq` show the result. */
export interface Ruled extends Stored {
    seq: Seq;
    account_id: Id;
}
/** The answer to `follow` and `unfollow`. An entry of your own log says it, too, if it changed something. */
export interface Followed extends Stored {
    thread_id: Id;
}
/** What a message may have besides its text. `client_message_id` is made if you give none. */
export interface More {
    client_message_id?: string;
    reply_to_id?: Id;
    thread_id?: Id;
}
interface OfRoom {
    room_id: Id;
    seq: Seq;
    at: Time;
}
/** The entries of a room's log that this version knows. */
export interface RoomEvents {
    message: Message;
    edited: OfRoom & {
        revision: number;
        message: Message;
    };
    deleted: OfRoom & {
        message_id: Id;
        message_seq: Seq;
        revision: number;
        by_id: Id;
    };
    reacted: OfRoom & {
        message_id: Id;
        account: Person;
        emoji: string;
        added: boolean;
        count: number;
    };
    pinned: OfRoom & {
        message_id: Id;
        account: Person;
        pinned: boolean;
    };
    joined: OfRoom & {
        account: Person;
        role: string;
        by_id: Id;
    };
    left: OfRoom & {
        account: Person;
        by_id: Id;
    };
    role: OfRoom & {
        account: Person;
        role: string;
        by_id: Id;
    };
    banned: OfRoom & {
        account: Person;
        by_id: Id;
        until: Time | null;
    };
    unbanned: OfRoom & {
        account: Person;
        by_id: Id;
    };
    invited: OfRoom & {
        account: Person;
        by_id: Id;
    };
    uninvited: OfRoom & {
        account: Person;
        by_id: Id;
    };
    owner: OfRoom & {
        account: Person;
        by_id: Id;
    };
    updated: OfRoom & {
        topic: string;
        archived: boolean;
        slow_seconds: number;
        account: Person;
    };
    renamed: OfRoom & {
        name: string;
        account: Person;
    };
}
/** An entry of your own log. It has `seq` and one more key. Keys that this version does not know are there, too. */
export interface Own {
    seq: Seq;
    joined?: {
        room: Pick<Room, "id" | "kind" | "name" | "head_seq" | "peer">;
    };
    left?: {
        room_id: Id;
    };
    read?: {
        room_id: Id;
        seq: Seq;
    };
    message_read?: {
        room_id: Id;
        message_id: Id;
        reader_id: Id;
    };
    sessions_ended?: Record<string, never>;
    account?: Person;
    thread?: {
        room_id: Id;
        thread_id: Id;
        follows: boolean;
    };
    invited?: {
        room: Pick<Room, "id" | "kind" | "name"> & {
            topic: string;
        };
        by: Person;
        at: Time;
    };
    uninvited?: {
        room_id: Id;
    };
    [kind: string]: unknown;
}
/** Any entry of a log, also of a kind that this version does not know. */
export interface LogEvent {
    /** The key of its frame, such as "message". */
    kind: string;
    /** Null: the log is your own. */
    room_id: Id | null;
    seq: Seq;
    body: Record<string, unknown>;
}
export interface Reset {
    /** Null: the log is your own. */
    room_id: Id | null;
    /** Your position now. */
    seq: Seq;
    reason: string;
}
/** A command that is not answered yet, such as "send". */
export interface Outgoing {
    /** Its `client_message_id` or `client_id`, which is in the fields, too. */
    id: string;
    command: string;
    fields: {
        room_id: Id;
        [name: string]: unknown;
    };
}
/** What to store, together with the data, so that a later client goes on where this one stopped. It is plain JSON. */
export interface Saved {
    epoch: string | null;
    /** The position in your own log. */
    me: Seq | null;
    /** The positions in the logs of rooms, by room id. */
    rooms: Record<string, Seq>;
    outbox: Outgoing[];
}
export {};
