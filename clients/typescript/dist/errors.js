export class VecheError extends Error {
    code;
    temporary;
    retryAfter;
    field;
    requestId;
    constructor(problem) {
        super(problem.message || problem.detail || problem.title || problem.code);
        this.name = "VecheError";
        this.code = problem.code;
        this.temporary = problem.temporary ?? false;
        this.retryAfter = problem.retry_after_ms ?? 0;
        this.field = problem.field ?? problem.errors?.[0]?.field;
        this.requestId = problem.request_id;
    }
}
export const broken = (code, message) => new VecheError({ code, message, temporary: true });
export function refusal(error) {
    if (error instanceof VecheError)
        return error;
    throw error;
}
