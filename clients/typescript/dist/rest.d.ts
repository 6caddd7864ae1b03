import type { Account, FullRoom, History, Id, Member, Page, Seq, Session, Tokens } from "./types.js";
type Query = Record<string, string | number | null | undefined>;
/** REST calls. Each throws a VecheError. */
export declare class Rest {
    #private;
    /** The address of the server, such as "https://chat.example.com". */
    readonly url: string;
    token: string | null;
    constructor(url: string, token?: string | null, fetchBy?: typeof fetch);
    /** Signs in by `username` or `email`, and uses the token from now on. With `refresh`, it is short-lived. */
    login(who: {
        username: string;
    } | {
        email: string;
    }, password: string, more?: {
        refresh?: boolean;
    }): Promise<Session>;
    /** Makes an account, and uses its token from now on. */
    register(username: string, password: string, more?: {
        name?: string;
        email?: string;
        refresh?: boolean;
    }): Promise<Session>;
    /** A new token, and the refresh token to go on with. The same one again gets the same answer. */
    refresh(refresh_token: string): Promise<Tokens>;
    /** Ends the session, and its sockets. */
    logout(): Promise<void>;
    me(): Promise<Account>;
    /** A page of your rooms without the lobby, by id. */
    rooms(page?: {
        cursor?: string | null;
        limit?: number;
    }): Promise<Page<FullRoom>>;
    /** A page of all channels, and the lobby. */
    publicRooms(page?: {
        cursor?: string | null;
        limit?: number;
    }): Promise<Page<FullRoom>>;
    room(id: Id): Promise<FullRoom>;
    /** Makes a room, into which the others are invited, or returns the direct room that exists. */
    makeRoom(room: {
        kind: "direct" | "group" | "channel";
        name?: string;
        member_ids?: Id[];
    }): Promise<FullRoom>;
    /** A page of members, by id. */
    members(room: Id, page?: {
        cursor?: string | null;
        limit?: number;
    }): Promise<Page<Member>>;
    /** Messages, oldest first: the newest ones, or those around, before or after a seq. */
    history(room: Id, where?: {
        before_seq?: Seq;
        after_seq?: Seq;
        around_seq?: Seq;
        limit?: number;
    }): Promise<History>;
    limits(): Promise<Record<string, number>>;
    /** Any call below /v1/. */
    call<Answer>(method: string, path: string, body?: object, query?: Query): Promise<Answer>;
}
export {};
