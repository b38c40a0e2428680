import { randomBytes } from 'node:crypto';
import { TURN_CONFIG_KEY, TURN_SECRET_KEY } from '../resources/turn-config.ts';
import { turnSecret } from '../resources/secrets.ts';
import { childCopy } from '../runtime/apply.ts';
import { checkOwner } from './apply-child.ts';
import { findOrCreate } from './create-or-read.ts';
import { deleteSecret } from './delete-secret.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { SecretData } from './secret-data.ts';
import { decodeSecret, readSecret } from './secret-data.ts';
import type { StepContext } from './step.ts';

/** `<n>-turn` as it is, with the secret that coturn shares with the replicas. */
export interface TurnSecret {
  readonly secret: string;
  readonly found: SecretData;
}

/** Makes `<n>-turn`, or the secret that is missing in it; one that is there is used as it is. Errors: ObjectConflict, KubeError. */
export async function ensureTurnSecret(ctx: StepContext): Promise<TurnSecret> {
  const { owner, names } = ctx;
  const found = await findOrCreate(ctx, names.turn, () => turnSecret(owner, { [TURN_SECRET_KEY]: newSecret() }));
  checkOwner(ctx, 'Secret', childCopy(found.object, MANAGERS.secrets));
  const secret = (found.values[TURN_SECRET_KEY] ?? '').trim();
  if (secret !== '') return { secret, found };
  ctx.log.warn({ step: 'secrets' }, 'the secret of the TURN server was missing and is made again');
  const made = newSecret();
  return { secret: made, found: decodeSecret(await write(ctx, found, { [TURN_SECRET_KEY]: made })) };
}

/** Puts the configuration beside the secret, unless it is there. */
export async function writeTurnConfig(ctx: StepContext, { secret, found }: TurnSecret, config: string): Promise<void> {
  if (found.values[TURN_CONFIG_KEY] === config) return;
  await write(ctx, found, { [TURN_SECRET_KEY]: secret, [TURN_CONFIG_KEY]: config });
}

/** Guarded by the version that was read: nobody's secret is overwritten by an older one. */
async function write({ env, owner }: StepContext, { object }: SecretData, values: Record<string, string>) {
  const manifest = turnSecret(owner, values);
  const { resourceVersion } = object.metadata;
  const guarded = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
  return env.client.apply(KINDS.secret, guarded, MANAGERS.secrets);
}

/** Deletes `<n>-turn` if it is ours; `mayExist` says what is known where Secrets are not watched. */
export async function deleteTurnSecret(ctx: StepContext, mayExist: boolean): Promise<void> {
  const { env, owner, names } = ctx;
  const at = { namespace: owner.namespace, name: names.turn };
  if (!mayExist && env.caches.versionOf(KINDS.secret, at) === undefined) return;
  const found = await readSecret(env.client, at);
  if (found?.object.metadata.ownerReferences?.some(({ uid }) => uid === owner.uid) !== true) return;
  await deleteSecret({ env }, found.object);
}

/** Letters that no configuration file takes for something else. */
function newSecret(): string {
  return randomBytes(32).toString('base64url');
}
