/** Calls functions by the name of an event. What they throw ends nothing here: it is reported as uncaught. */
export class Emitter<Events> {
  #handlers = new Map<keyof Events, Set<(value: never) => void>>();

  /** Calls `handler` for each event of this name. Returns a function that ends that. */
  on<Name extends keyof Events>(name: Name, handler: (value: Events[Name]) => void): () => void {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(name) ?? [])] as ((value: Events[Name]) => void)[]) {
      try {
        handler(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
