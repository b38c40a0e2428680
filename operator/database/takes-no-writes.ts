import { OperatorError } from '../errors.ts';
import type { DatabaseLogin } from './connect.ts';

/** A standby, or a server that was told so: a failover or a person ends it. */
export function takesNoWrites({ host, port }: DatabaseLogin): OperatorError {
  const message = `PostgreSQL at ${host}:${port} takes no writes: it is a standby, or default_transaction_read_only is on; the host must lead to the primary`;
  return new OperatorError('DatabaseUnreachable', message);
}
