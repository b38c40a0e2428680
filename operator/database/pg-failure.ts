import { OperatorError } from '../errors.ts';
import type { FailureReason } from '../errors.ts';

/** A failure that no reason stands for: a defect of ours, or a case that the caller knows by its SQLSTATE. */
export class SqlError extends Error {
  readonly sqlState: string;

  constructor(sqlState: string, message: string) {
    super(message);
    this.name = 'SqlError';
    this.sqlState = sqlState;
  }
}

/** Where we tried to log in, for messages. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly credentials: string;
  readonly tlsMode: string;
  readonly userIsSecret?: boolean | undefined;
}

/** SQLSTATE or its class (first two characters) -> reason. The longer key wins. */
const BY_SQLSTATE: Readonly<Record<string, FailureReason>> = {
  '28': 'LoginRefused',
  '3D000': 'DatabaseLost',
  '42501': 'InsufficientPrivilege',
  '55P03': 'LockHeld',
  '08': 'DatabaseUnreachable',
  '53': 'DatabaseUnreachable',
  '57': 'DatabaseUnreachable',
  '58': 'DatabaseUnreachable',
  // A standby, or a server that was told to take no writes: a failover ends it.
  '25006': 'DatabaseUnreachable',
  // Such as a database that takes no connections for now.
  '55000': 'DatabaseUnreachable',
  '55006': 'LockHeld',
  '40001': 'DatabaseUnreachable',
  '40P01': 'DatabaseUnreachable',
};

const TLS_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;
const NO_SSL = /does not support SSL/;

/** Turns whatever the driver threw into a failure of the registry; a defect of ours stays an Error, without details. */
export function toFailure(error: unknown, target: Target): Error {
  if (error instanceof OperatorError) return error;
  const { code, message: said } = partsOf(error);
  const message = target.userIsSecret === true ? said.replaceAll(target.username, '…') : said;
  const at = `PostgreSQL at ${target.host}:${target.port}`;
  if (/^[0-9A-Z]{5}$/.test(code)) return sqlFailure(code, message, at, target);
  if (TLS_CODES.test(code) || NO_SSL.test(message)) {
    const [why] = message.split('; if the root CA', 1);
    const advice = 'name the right authority in tls.caSecretRef, or choose another tls.mode';
    return new OperatorError('TLSInvalid', `${at}: TLS mode ${target.tlsMode}: ${why ?? ''}; ${advice}`);
  }
  const why = message === '' ? code : message;
  return new OperatorError('DatabaseUnreachable', `${at} cannot be reached: ${why}; check host, port and network`);
}

/** True when the server gave no answer at all: neither words of its own nor a certificate. */
export function isSilence(error: unknown): boolean {
  const { code, message } = partsOf(error);
  return !(/^[0-9A-Z]{5}$/.test(code) || TLS_CODES.test(code) || NO_SSL.test(message));
}

/** True when a statement was sent and no answer came in time. */
export function isUnanswered(error: unknown): boolean {
  return isSilence(error) && partsOf(error).message === 'Query read timeout';
}

function sqlFailure(code: string, message: string, at: string, target: Target): Error {
  const reason = BY_SQLSTATE[code] ?? BY_SQLSTATE[code.slice(0, 2)];
  if (reason === undefined)
    return new SqlError(code, `${at}, database ${target.database}: ${message} (SQLSTATE ${code})`);
  return new OperatorError(reason, `${at} ${explain(reason, message, target)}`);
}

function explain(reason: FailureReason, message: string, target: Target): string {
  const { username, credentials, userIsSecret = false } = target;
  const login = userIsSecret ? `login of ${credentials}` : `login "${username}" (${credentials})`;
  const texts: Partial<Record<FailureReason, string>> = {
    LoginRefused: `refused the ${login}: ${message}; correct user name and password there`,
    DatabaseLost: `has no database "${target.database}": ${message}`,
    InsufficientPrivilege: `does not let the ${login} do what is needed: ${message}`,
    LockHeld: `holds a lock on database "${target.database}" for somebody else: ${message}`,
  };
  return texts[reason] ?? `failed: ${message}`;
}

/** The message of the server names objects and causes, never values; `detail` and `where` may quote more and are left out. */
function partsOf(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: 'unknown failure' };
  if (error instanceof AggregateError && error.errors.length > 0) return partsOf(error.errors[0]);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return { code, message: error.message.slice(0, 300) };
}
