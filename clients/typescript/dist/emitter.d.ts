/** Calls functions by the name of an event. What they throw ends nothing here: it is reported as uncaught. */
export declare class Emitter<Events> {
    #private;
    /** Calls `handler` for each event of this name. Returns a function that ends that. */
    on<Name extends keyof Events>(name: Name, handler: (value: Events[Name]) => void): () => void;
    protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void;
}
