export class Emitter {
    #handlers = new Map();
    on(name, handler) {
        const handlers = this.#handlers.get(name) ?? new Set();
        this.#handlers.set(name, handlers.add(handler));
        return () => void handlers.delete(handler);
    }
    emit(name, value) {
        for (const handler of [...(this.#handlers.get(name) ?? [])]) {
            try {
                handler(value);
            }
            catch (error) {
                queueMicrotask(() => {
                    throw error;
                });
            }
        }
    }
}
