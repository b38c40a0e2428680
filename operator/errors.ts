/**
 * The registry of failures that the operator's machinery raises: reason -> how it is retried and who must act.
 * `transient` is retried with backoff; `user` waits for a person (watch, else every 5 min); `spec` waits for a new
 * generation; `stop` waits for a person while old pods keep serving.
 */
export const FAILURES = {
  ApiUnavailable: { class: 'transient', retry: 'backoff' },
  DatabaseUnreachable: { class: 'transient', retry: 'backoff' },
  LockHeld: { class: 'transient', retry: 'backoff' },
  SecretMissing: { class: 'user', retry: 'slow' },
  NamespaceNotGranted: { class: 'user', retry: 'slow' },
  InsufficientPrivilege: { class: 'user', retry: 'slow' },
  ServerNotAllowed: { class: 'user', retry: 'slow' },
  LoginRefused: { class: 'user', retry: 'slow' },
  TLSInvalid: { class: 'user', retry: 'slow' },
  ServerUnsupported: { class: 'user', retry: 'slow' },
  DatabaseConflict: { class: 'user', retry: 'slow' },
  WrongCollation: { class: 'user', retry: 'slow' },
  WrongServerName: { class: 'user', retry: 'slow' },
  DatabaseLost: { class: 'user', retry: 'slow' },
  KeyLost: { class: 'user', retry: 'slow' },
  KeyMismatch: { class: 'user', retry: 'slow' },
  KeyIDConflict: { class: 'user', retry: 'slow' },
  KeyReuse: { class: 'user', retry: 'slow' },
  KeyUnknown: { class: 'user', retry: 'slow' },
  WeakKey: { class: 'user', retry: 'slow' },
  ClockSkew: { class: 'user', retry: 'slow' },
  ServerNameInUse: { class: 'user', retry: 'slow' },
  VolumeMissing: { class: 'user', retry: 'slow' },
  ObjectConflict: { class: 'user', retry: 'slow' },
  ObjectInvalid: { class: 'spec', retry: 'never' },
} as const satisfies Record<
  string,
  { class: 'transient' | 'user' | 'spec' | 'stop'; retry: 'backoff' | 'slow' | 'never' }
>;

export type FailureReason = keyof typeof FAILURES;

/** A failure with a reason of the registry. The message is shown to people: what is wrong and what to do, no secrets. */
export class OperatorError extends Error {
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OperatorError';
    this.reason = reason;
  }
}
