import { randomBytes } from 'node:crypto';
import { APP_FILES } from '../../homeserver/contract/layout.ts';
import { appSecret } from '../resources/secrets.ts';
import type { Manifest } from '../resources/manifest.ts';
import { findOrCreate } from './create-or-read.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/** Makes `<n>-app`, or the values that are missing in it; values that are there are used as they are. */
export async function ensureAppSecret(ctx: StepContext): Promise<Readonly<Record<string, string>>> {
  const { env, names } = ctx;
  const found = await findOrCreate(ctx, names.appSecret, () => manifestOf(ctx, newValues(APP_FILES)));
  const missing = APP_FILES.filter((file) => (found.values[file] ?? '') === '');
  if (missing.length === 0) return found.values;
  ctx.log.warn({ step: 'secrets', count: missing.length }, 'application secrets were missing and are made again');
  const values = { ...found.values, ...newValues(missing) };
  const manifest = manifestOf(ctx, values);
  const { resourceVersion } = found.object.metadata;
  const guarded = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
  await env.client.apply(KINDS.secret, guarded, MANAGERS.secrets);
  return values;
}

function newValues(files: readonly string[]): Record<string, string> {
  return Object.fromEntries(files.map((file) => [file, randomBytes(32).toString('base64url')]));
}

function manifestOf({ owner, homeserver }: StepContext, data: Readonly<Record<string, string>>): Manifest {
  return appSecret({ owner, serverName: homeserver.spec.serverName, data });
}
