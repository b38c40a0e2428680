import type { FederationFailure } from '../api/federation-status.ts';

/** A look from outside that came to nothing, by class. The cause is for the operator's log at level debug only. */
export class CheckFailure extends Error {
  readonly kind: FederationFailure;

  constructor(kind: FederationFailure, cause?: unknown) {
    super(kind, cause === undefined ? undefined : { cause });
    this.name = 'CheckFailure';
    this.kind = kind;
  }
}

const NAME_MISSING = ['ENOTFOUND', 'ENODATA', 'ENONAME'];
const TLS =
  /^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH|EPROTO)/;

/** The class of whatever a connection threw. `late`: our own deadline had passed. */
export function classify(error: unknown, late: boolean): CheckFailure {
  if (error instanceof CheckFailure) return error;
  if (late) return new CheckFailure('Timeout', error);
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return new CheckFailure(TLS.test(code) ? 'TLSInvalid' : 'ConnectionFailed', error);
}

/** The same for a DNS look-up; undefined when DNS says that there is no such record. */
export function classifyDns(error: unknown, late: boolean): CheckFailure | undefined {
  if (late) return new CheckFailure('Timeout', error);
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return NAME_MISSING.includes(code) ? undefined : new CheckFailure('DNSFailed', error);
}
