/**
 * The registry of error codes that this server answers: `errcode` -> default HTTP status and text.
 * Spec: client-server API, "Standard error response".
 */
export const ERROR_CODES = {
  M_FORBIDDEN: { status: 403, text: 'You are not allowed to do this.' },
  M_UNKNOWN_TOKEN: { status: 401, text: 'The access token is unknown or no longer valid.' },
  M_MISSING_TOKEN: { status: 401, text: 'An access token is required: send it as "Authorization: Bearer <token>".' },
  M_BAD_JSON: { status: 400, text: 'The request body does not have the expected shape.' },
  M_NOT_JSON: { status: 400, text: 'The request body is not valid JSON.' },
  M_NOT_FOUND: { status: 404, text: 'Nothing was found here.' },
  M_LIMIT_EXCEEDED: { status: 429, text: 'Too many requests: try again later.' },
  M_UNRECOGNIZED: { status: 404, text: 'This server does not know this endpoint.' },
  M_UNKNOWN: { status: 500, text: 'The server failed to answer this request.' },
  M_USER_IN_USE: { status: 400, text: 'This user name is taken.' },
  M_INVALID_USERNAME: { status: 400, text: 'A user name may hold only a-z, 0-9 and . _ = - / +' },
  M_USER_DEACTIVATED: { status: 403, text: 'This account has been deactivated.' },
  M_EXCLUSIVE: { status: 400, text: 'This name is reserved for an application service.' },
  M_WEAK_PASSWORD: { status: 400, text: 'The password is too weak.' },
  M_ROOM_IN_USE: { status: 400, text: 'This room alias is taken.' },
  M_BAD_ALIAS: { status: 400, text: 'The alias does not lead to this room.' },
  M_INVALID_ROOM_STATE: { status: 400, text: 'The initial state of the room is not valid.' },
  M_UNSUPPORTED_ROOM_VERSION: { status: 400, text: 'This server does not support this room version.' },
  M_INCOMPATIBLE_ROOM_VERSION: { status: 400, text: 'The room has a version that the request does not support.' },
  M_UNABLE_TO_AUTHORISE_JOIN: { status: 400, text: 'This server cannot check the conditions for joining.' },
  M_UNABLE_TO_GRANT_JOIN: { status: 400, text: 'No user of this server may grant the join.' },
  M_BAD_STATE: { status: 400, text: 'This cannot be done in the present state.' },
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: { status: 403, text: 'The invite to the room of this server cannot be rejected.' },
  M_INVITE_BLOCKED: { status: 403, text: 'This user accepts no invites.' },
  M_GUEST_ACCESS_FORBIDDEN: { status: 403, text: 'Guests are not allowed here.' },
  M_MISSING_PARAM: { status: 400, text: 'A required parameter is missing.' },
  M_INVALID_PARAM: { status: 400, text: 'A parameter has a value that is not allowed.' },
  M_TOO_LARGE: { status: 413, text: 'The request is too large.' },
  M_PROFILE_TOO_LARGE: { status: 400, text: 'The profile would be larger than 64 KiB.' },
  M_KEY_TOO_LARGE: { status: 400, text: 'The name of a profile field may have at most 255 bytes.' },
  M_DUPLICATE_ANNOTATION: { status: 400, text: 'This user has sent the same annotation already.' },
  M_THREEPID_NOT_FOUND: { status: 400, text: 'No account has this third-party identifier.' },
  M_SERVER_NOT_TRUSTED: { status: 400, text: 'This server does not trust the named server.' },
  M_UNAUTHORIZED: { status: 401, text: 'The request is not authorised.' },
} as const satisfies Record<`M_${string}`, { status: number; text: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorOptions {
  /** Replaces the registry's status. */
  status?: number;
  /** Further members of the answer's body, such as `retry_after_ms` or `soft_logout`. */
  fields?: Readonly<Record<string, unknown>>;
  /** Further response headers, such as Retry-After. */
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

/** An error that is answered as it stands: `{"errcode": code, "error": message, ...fields}`. */
export class MatrixError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, detail?: string, options: ErrorOptions = {}) {
    super(detail ?? ERROR_CODES[code].text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MatrixError';
    this.code = code;
    this.status = options.status ?? ERROR_CODES[code].status;
    this.fields = options.fields ?? {};
    this.headers = options.headers ?? {};
  }

  toBody(): Record<string, unknown> {
    return { errcode: this.code, error: this.message, ...this.fields };
  }
}

/** What cannot be done now but may be in a moment: status 503, and when to come again. */
export function tryAgainLater(detail: string, cause?: unknown): MatrixError {
  return new MatrixError('M_UNKNOWN', detail, {
    status: 503,
    headers: { 'Retry-After': '2' },
    fields: { retry_after_ms: 2000 },
    ...(cause !== undefined && { cause }),
  });
}
