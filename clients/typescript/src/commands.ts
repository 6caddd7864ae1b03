import type { ClientEvents } from "./client.js";
import { Emitter } from "./emitter.js";
import type { Changed, Followed, Id, Marked, More, Outgoing, Ruled, Sent, Stored } from "./types.js";

/** A command on its way: its client id, and the promise of its answer. */
export interface Sending<Answer> {
  id: string;
  stored: Promise<Answer>;
}

/** The commands that have a client id, and so are sent again until they are answered. */
export abstract class Commands extends Emitter<ClientEvents> {
  abstract enqueue<Answer extends Stored>(command: string, fields: Outgoing["fields"], id?: string): Sending<Answer>;

  /**
   * Sends a message: now, or once there is a connection. `stored` is done when the server has stored it, and throws a
   * VecheError if it was refused for good. Nobody has to wait for it.
   */
  send(room_id: Id, text: string, { client_message_id, ...more }: More = {}): Sending<Sent> {
    return this.enqueue("send", { room_id, text, ...more }, client_message_id);
  }

  /** Changes the text of a message, as `send` sends one. */
  edit(room_id: Id, message_id: Id, text: string): Sending<Changed> {
    return this.enqueue("edit", { room_id, message_id, text });
  }

  /** Deletes a message, as `send` sends one. */
  delete(room_id: Id, message_id: Id): Sending<Changed> {
    return this.enqueue("delete", { room_id, message_id });
  }

  /** Puts an emoji to a message. */
  react(room_id: Id, message_id: Id, emoji: string): Sending<Marked> {
    return this.enqueue("react", { room_id, message_id, emoji });
  }

  /** Takes your emoji back. */
  unreact(room_id: Id, message_id: Id, emoji: string): Sending<Marked> {
    return this.enqueue("unreact", { room_id, message_id, emoji });
  }

  /** Pins a message. */
  pin(room_id: Id, message_id: Id): Sending<Marked> {
    return this.enqueue("pin", { room_id, message_id });
  }

  /** Takes the pin of a message away. */
  unpin(room_id: Id, message_id: Id): Sending<Marked> {
    return this.enqueue("unpin", { room_id, message_id });
  }

  /** Follows the thread that begins with the message `thread_id`. */
  follow(room_id: Id, thread_id: Id): Sending<Followed> {
    return this.enqueue("follow", { room_id, thread_id });
  }

  /** Follows a thread no longer. */
  unfollow(room_id: Id, thread_id: Id): Sending<Followed> {
    return this.enqueue("unfollow", { room_id, thread_id });
  }

  /** Gives a member another role: "moderator", "member" or "reader", or "owner" to hand the room over. */
  setRole(room_id: Id, account_id: Id, role: string): Sending<Ruled> {
    return this.enqueue("role", { room_id, account_id, role });
  }

  /** Bans an account from a room, for so many seconds or without an end. */
  ban(room_id: Id, account_id: Id, seconds?: number): Sending<Ruled> {
    return this.enqueue("ban", { room_id, account_id, seconds });
  }

  /** Takes back a ban. */
  unban(room_id: Id, account_id: Id): Sending<Ruled> {
    return this.enqueue("unban", { room_id, account_id });
  }
  /** Invites somebody into a room. */
  invite(room_id: Id, account_id: Id): Sending<Ruled> {
    return this.enqueue("invite", { room_id, account_id });
  }

  /** Takes an invitation back, or refuses one: then it is your own account. */
  uninvite(room_id: Id, account_id: Id): Sending<Ruled> {
    return this.enqueue("uninvite", { room_id, account_id });
  }
}
