import { ConfigError } from '../config/load.ts';
import { KeyringError } from '../config/parse-keyring.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { MatrixError } from '../errors.ts';
import { ObjectStoreError } from '../object-store/object-store.ts';
import { UnfitDatabase } from '../storage/schema-check.ts';

/** How a command ends after this error. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigError) return EXIT_CODES.configInvalid;
  if (error instanceof KeyringError) return EXIT_CODES.keyUnreadable;
  if (error instanceof UnfitDatabase) return error.exitCode;
  if (error instanceof MatrixError && error.status === 503) return EXIT_CODES.temporary;
  if (error instanceof ObjectStoreError && error.passing) return EXIT_CODES.temporary;
  return EXIT_CODES.failed;
}

/** What a person is told about it: one message, with the cause where that says more. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error instanceof MatrixError && error.cause instanceof Error ? ` (${causeOf(error.cause)})` : '';
  return `${error.message}${cause}`;
}

/** A refused connection comes as an AggregateError without a message of its own. */
function causeOf(error: Error): string {
  if (error.message !== '') return error.message;
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : error.name;
}
