import { Emitter } from "./emitter.js";
export class Commands extends Emitter {
    send(room_id, text, { client_message_id, ...more } = {}) {
        return this.enqueue("send", { room_id, text, ...more }, client_message_id);
    }
    edit(room_id, message_id, text) {
        return this.enqueue("edit", { room_id, message_id, text });
    }
    delete(room_id, message_id) {
        return this.enqueue("delete", { room_id, message_id });
    }
    react(room_id, message_id, emoji) {
        return this.enqueue("react", { room_id, message_id, emoji });
    }
    unreact(room_id, message_id, emoji) {
        return this.enqueue("unreact", { room_id, message_id, emoji });
    }
    pin(room_id, message_id) {
        return this.enqueue("pin", { room_id, message_id });
    }
    unpin(room_id, message_id) {
        return this.enqueue("unpin", { room_id, message_id });
    }
    follow(room_id, thread_id) {
        return this.enqueue("follow", { room_id, thread_id });
    }
    unfollow(room_id, thread_id) {
        return this.enqueue("unfollow", { room_id, thread_id });
    }
    setRole(room_id, account_id, role) {
        return this.enqueue("role", { room_id, account_id, role });
    }
    ban(room_id, account_id, seconds) {
        return this.enqueue("ban", { room_id, account_id, seconds });
    }
    unban(room_id, account_id) {
        return this.enqueue("unban", { room_id, account_id });
    }
    invite(room_id, account_id) {
        return this.enqueue("invite", { room_id, account_id });
    }
    uninvite(room_id, account_id) {
        return this.enqueue("uninvite", { room_id, account_id });
    }
}
