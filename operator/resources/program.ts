/** Homeserver program inside the image; the image's entry point is Node itself. */
const PROGRAM = '/app/homeserver.mjs';

/** Arguments that serve clients. */
export const SERVE_ARGS: readonly string[] = [PROGRAM, 'serve'];

/** Arguments that check the configuration and nothing that it points at: Jobs do not mount that. */
export const CHECK_CONFIG_ARGS: readonly string[] = [PROGRAM, 'check-config', '--file-only'];

/** Arguments of one phase of a migration; it is refused if the program is not the `expected` one. */
export function migrateArgs(phase: 'plan' | 'expand' | 'contract', expected: string): readonly string[] {
  return [PROGRAM, 'migrate', phase, '--json', '--expect', expected];
}

/** Arguments that look for at most so long whether the database is whole; where time runs out, what was looked at counts. */
export function verifyArgs(seconds: number): readonly string[] {
  return [PROGRAM, 'verify', '--json', '--partial', '--time-limit-seconds', String(seconds)];
}

/** Group that the image's user is in. */
export const IMAGE_GROUP = 10_001;

/** Arguments that back the database up; where to follows. */
export const BACKUP_ARGS: readonly string[] = [PROGRAM, 'backup'];

/** Arguments that prove the newest backup in the spare database `database`, which may take `waitSeconds` to appear. */
export function drillArgs(database: string, waitSeconds: number): readonly string[] {
  return [PROGRAM, 'drill', '--database', database, '--wait-seconds', String(waitSeconds)];
}

/** Arguments that fill an empty database; from where follows. */
export const RESTORE_ARGS: readonly string[] = [PROGRAM, 'restore'];

/** Arguments that say whether the database is whole; how long to look follows. */
export const VERIFY_ARGS: readonly string[] = [PROGRAM, 'verify'];

/** Command that makes an account, in a container that runs; the name of the user follows, the password comes over stdin. */
export const CREATE_USER_COMMAND: readonly string[] = ['/usr/local/bin/node', PROGRAM, 'admin', 'create-user'];
