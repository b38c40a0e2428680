import { APP_FILES } from '../../homeserver/contract/layout.ts';
import type { References } from './resolve-references.ts';
import { readKeys, resolveReferences } from './resolve-references.ts';
import { ensureAppSecret } from './ensure-app-secret.ts';
import type { DatabaseAccess } from './ensure-database-secret.ts';
import { ensureDatabaseSecret } from './ensure-database-secret.ts';
import type { StepContext, StepResult } from './step.ts';
import { blocked, done } from './step.ts';

/** All Secrets that the later steps use. */
export interface Secrets {
  readonly references: References;
  readonly access: DatabaseAccess;
  readonly app: Readonly<Record<string, string>>;
}

/** Reads the Secrets of users; makes or completes `<n>-db` and `<n>-app`. */
export async function ensureSecrets(ctx: StepContext): Promise<StepResult<Secrets>> {
  const references = await resolveReferences(ctx);
  const access = await ensureDatabaseSecret(ctx, references.admin);
  if (!access.ok) return blocked('WrongServerName', access.message);
  const app = await appSecrets(ctx);
  return done({ references, access: access.access, app }, 'all Secrets are there');
}

async function appSecrets(ctx: StepContext): Promise<Secrets['app']> {
  const { secretsRef } = ctx.homeserver.spec;
  return secretsRef === undefined ? ensureAppSecret(ctx) : readKeys(ctx, secretsRef.name, APP_FILES);
}
