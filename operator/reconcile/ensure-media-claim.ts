import { OperatorError } from '../errors.ts';
import { mediaClaim } from '../resources/media-claim.ts';
import { applyIfChanged } from '../runtime/apply.ts';
import { objectKey } from '../runtime/kube-object.ts';
import type { ClaimCopy } from './child-copies.ts';
import { claimCopy } from './child-copies.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/**
 * The volume for uploaded files: made once, taken back by a resource of the same name and server name, never deleted.
 * Errors: VolumeMissing, WrongServerName, ObjectConflict.
 */
export async function ensureMediaClaim(ctx: StepContext): Promise<void> {
  const { spec } = ctx.homeserver;
  const existing = spec.media?.persistentVolumeClaim?.existingClaimName;
  if (existing !== undefined) await checkExisting(ctx, existing);
  const manifest = mediaClaim(ctx.owner, spec.serverName, spec.media);
  if (manifest === undefined) return;
  const found = await findClaim(ctx, manifest.metadata.name);
  if (found !== undefined) checkBelongs(ctx, found);
  const target = { resource: KINDS.persistentVolumeClaim, manifest, manager: MANAGERS.children };
  const { written } = await applyIfChanged(ctx.env.client, target, found);
  if (written) ctx.env.metrics.writes.inc({ kind: KINDS.persistentVolumeClaim.kind });
}

async function findClaim({ env, owner }: StepContext, name: string): Promise<ClaimCopy | undefined> {
  const at = { namespace: owner.namespace, name };
  const cached = env.caches.claims.get(objectKey(at));
  if (cached !== undefined) return cached;
  const object = await env.client.get(KINDS.persistentVolumeClaim, at);
  return object === undefined ? undefined : claimCopy(object);
}

/** Files of one server must not be shown by another. */
function checkBelongs({ owner, homeserver }: StepContext, { name, serverName }: ClaimCopy): void {
  const claim = `PersistentVolumeClaim ${owner.namespace}/${name}`;
  if (serverName === homeserver.spec.serverName) return;
  if (serverName === undefined) {
    throw new OperatorError(
      'ObjectConflict',
      `${claim} is there already and is not ours; name it in existingClaimName`,
    );
  }
  const message = `${claim} holds files of the server ${serverName}; give this resource another name, or delete the claim`;
  throw new OperatorError('WrongServerName', message);
}

async function checkExisting({ env, owner }: StepContext, name: string): Promise<void> {
  const found = await env.client.get(KINDS.persistentVolumeClaim, { namespace: owner.namespace, name });
  if (found !== undefined) return;
  const message = `PersistentVolumeClaim ${owner.namespace}/${name} of media.persistentVolumeClaim.existingClaimName is missing`;
  throw new OperatorError('VolumeMissing', message);
}
