import { OperatorError } from '../errors.ts';
import { HOMESERVER_LABEL } from '../resources/labels.ts';
import type { Manifest } from '../resources/manifest.ts';
import type { ApplyResult, ChildCopy } from '../runtime/apply.ts';
import { applyIfChanged, childCopy } from '../runtime/apply.ts';
import { KubeError, isConflict } from '../runtime/kube-error.ts';
import type { Resource } from '../runtime/kube-object.ts';
import { desiredDigest, lastManager } from '../runtime/owned-fields.ts';
import { tell } from './announce.ts';
import { MANAGERS } from './kinds.ts';
import { NotYet } from './not-yet.ts';
import type { StepContext } from './step.ts';

export interface ChildTarget {
  readonly resource: Resource;
  readonly manifest: Manifest;
}

/** What no object has for its version: an apply that names it makes an object, or is refused as a conflict where one is. */
const NO_VERSION = '1';

/**
 * Applies one child unless it is as wanted. An object of the same name that is not ours is left alone; one of an
 * earlier resource of our name is waited for, since the collector is about to remove it.
 */
export async function applyChild(
  ctx: StepContext,
  target: ChildTarget,
  cached: ChildCopy | undefined,
): Promise<ApplyResult> {
  const isNew = cached === undefined && !ctx.env.drift.hasWritten(ctx.key, childOf(target));
  const made = isNew ? await makeChild(ctx, target) : undefined;
  const result = made ?? (await changeChild(ctx, target, cached));
  if (result.written) {
    const { kind } = target.resource;
    ctx.env.metrics.writes.inc({ kind });
    ctx.env.drift.wrote(ctx.key, childOf(target), result.digest);
    ctx.log.info({ step: 'apply', kind }, 'a child was written');
  }
  return result;
}

/** What a child is called among those of its resource. */
function childOf({ resource, manifest }: ChildTarget): string {
  return `${resource.kind} ${manifest.metadata.name}`;
}

/** Whether a child that is not as wanted may be written; tells people when somebody changes it again and again. */
async function mayWrite(ctx: StepContext, target: ChildTarget, wanted: string): Promise<boolean> {
  const verdict = ctx.env.drift.judge(ctx.key, childOf(target), wanted);
  if (verdict === 'held') return false;
  if (verdict !== 'news') ctx.env.metrics.driftRepairs.inc({ kind: target.resource.kind });
  if (verdict === 'last repair') await tellContest(ctx, target);
  return true;
}

async function tellContest(ctx: StepContext, { resource, manifest }: ChildTarget): Promise<void> {
  const { namespace } = ctx.owner;
  const object = await ctx.env.direct.get(resource, { namespace, name: manifest.metadata.name });
  const other = object === undefined ? undefined : (lastManager(object, MANAGERS.children) ?? 'somebody');
  const what = other === undefined ? 'is deleted again and again' : `is changed again and again by ${other}`;
  const child = `${resource.kind} ${namespace}/${manifest.metadata.name}`;
  const message = `${child} ${what}; from now on it is put back every 5 minutes. Let one of the two alone say what it is.`;
  ctx.log.warn({ step: 'apply', kind: resource.kind }, 'a child is changed by somebody else again and again');
  await tell(ctx, { type: 'Warning', reason: 'ObjectContested', action: 'Apply', message });
}

/** The cache holds only what carries our label: what it lacks may still exist, and is then left as it is. */
async function makeChild(ctx: StepContext, { resource, manifest }: ChildTarget): Promise<ApplyResult | undefined> {
  const fresh = { ...manifest, metadata: { ...manifest.metadata, resourceVersion: NO_VERSION } };
  try {
    const object = await explained(() => ctx.env.client.apply(resource, fresh, MANAGERS.children));
    return { written: true, object, digest: desiredDigest(manifest) };
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}

async function changeChild(ctx: StepContext, target: ChildTarget, cached: ChildCopy | undefined): Promise<ApplyResult> {
  const found = cached ?? (await readChild(ctx, target));
  if (found !== undefined) checkOwner(ctx, target.resource.kind, found);
  const asked = (wanted: string) => mayWrite(ctx, target, wanted);
  return explained(() =>
    applyIfChanged(ctx.env.client, { ...target, manager: MANAGERS.children, mayWrite: asked }, found),
  );
}

/** For an object that no cache has. */
export async function readChild(ctx: StepContext, { resource, manifest }: ChildTarget): Promise<ChildCopy | undefined> {
  const object = await ctx.env.client.get(resource, manifest.metadata);
  return object === undefined ? undefined : childCopy(object, MANAGERS.children);
}

/** Throws unless an object with the name of one of our children is ours. */
export function checkOwner({ owner }: StepContext, kind: string, found: ChildCopy): void {
  if (found.ownerUid === owner.uid) return;
  const object = `${kind} ${owner.namespace}/${found.name}`;
  if (found.labels[HOMESERVER_LABEL] === owner.name && found.ownerUid !== undefined) {
    throw new NotYet('Provisioning', `${object} of an earlier resource of this name is still being removed`, 1000);
  }
  throw new OperatorError('ObjectConflict', `${object} is there already and is not ours; delete or rename it`);
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 422) throw error;
    throw new OperatorError('ObjectInvalid', error.message, error);
  }
}
