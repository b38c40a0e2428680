import type { DatabaseLogin } from '../database/connect.ts';
import type { DatabaseFacts } from '../database/provision-result.ts';
import type { RotationInput } from '../database/rotate-login.ts';

/** The database as the tenant uses it. */
export interface ReadyDatabase {
  readonly login: DatabaseLogin;
  readonly facts: DatabaseFacts;
  readonly passwordVersion: number | undefined;
  /** How its two login roles are changed; undefined with `database.existing`. */
  readonly rotation: RotationInput | undefined;
}
