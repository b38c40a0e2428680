import { randomBytes } from 'node:crypto';
import { APP_FILES } from '../../homeserver/contract/layout.ts';
import { appSecret } from '../resources/secrets.ts';
import { createOrRead } from './create-or-read.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import { readSecret } from './secret-data.ts';
import type { StepContext } from './step.ts';

/** Makes `<n>-app`, or the values that are missing in it; values that are there are used as they are. */
export async function ensureAppSecret(ctx: StepContext): Promise<Readonly<Record<string, string>>> {
  const { env, owner, names, homeserver } = ctx;
  const found = await readSecret(env.client, { namespace: owner.namespace, name: names.appSecret });
  const missing = APP_FILES.filter((file) => (found?.values[file] ?? '') === '');
  if (found !== undefined && missing.length === 0) return found.values;
  const made = Object.fromEntries(missing.map((file) => [file, randomBytes(32).toString('base64url')]));
  const serverName = homeserver.spec.serverName;
  const manifest = appSecret({ owner, serverName, data: { ...found?.values, ...made } });
  if (found === undefined) return (await createOrRead(ctx, manifest)).values;
  ctx.log.warn({ step: 'secrets', count: missing.length }, 'application secrets were missing and are made again');
  const guarded = {
    ...manifest,
    metadata: { ...manifest.metadata, resourceVersion: found.object.metadata.resourceVersion },
  };
  await env.client.apply(KINDS.secret, guarded, MANAGERS.secrets);
  return { ...found.values, ...made };
}
