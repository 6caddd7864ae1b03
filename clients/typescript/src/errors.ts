/** The fields of an `error` of the socket, and of a problem document of REST. */
export interface Problem {
  code: string;
  message?: string;
  detail?: string;
  title?: string;
  temporary?: boolean;
  field?: string;
  errors?: { field: string; message: string }[];
  request_id?: string;
  retry_after_ms?: number;
}

/**
 * A refusal. `code` is one of the contract, or of this client: "offline" (there is no connection), "lost" (the
 * connection ended before the answer), "unreachable" (no answer to a REST call), "stopped".
 */
export class VecheError extends Error {
  readonly code: string;
  /** Whether the same may succeed later. */
  readonly temporary: boolean;
  /** How long to wait before it is tried again, in milliseconds. */
  readonly retryAfter: number;
  /** The field that is wrong. */
  readonly field: string | undefined;
  /** By it, the operator finds a bug of the server in its log. */
  readonly requestId: string | undefined;

  constructor(problem: Problem) {
    super(problem.message || problem.detail || problem.title || problem.code);
    this.name = "VecheError";
    this.code = problem.code;
    this.temporary = problem.temporary ?? false;
    this.retryAfter = problem.retry_after_ms ?? 0;
    this.field = problem.field ?? problem.errors?.[0]?.field;
    this.requestId = problem.request_id;
  }
}

export const broken = (code: string, message: string) => new VecheError({ code, message, temporary: true });

/** Returns what was thrown as a VecheError. A bug is thrown on. */
export function refusal(error: unknown): VecheError {
  if (error instanceof VecheError) return error;
  throw error;
}
