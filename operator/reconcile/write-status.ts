import type { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import type { Status } from '../api/status.ts';
import { isConflict } from '../runtime/kube-error.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { stableJson } from './digest.ts';
import { homeserverCopy } from './homeserver-copy.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/** How often a status is brought to a newer copy of the resource. */
const MAX_NEWER = 3;

/**
 * Writes the status if it differs from the one that was read, guarded by the version that was read, or by a newer one that
 * differs in nothing that the status speaks of; gives back the resource's new version. Errors: KubeError 409 Conflict when
 * somebody wrote spec or status in between.
 */
export async function writeStatus(ctx: StepContext, status: Status, resourceVersion: string): Promise<string> {
  const { env, homeserver } = ctx;
  if (stableJson(status) === stableJson(homeserver.status)) return resourceVersion;
  const end = env.caches.expect(KINDS.homeserver, homeserver.metadata);
  let written: KubeObject | undefined;
  try {
    written = await applyGuarded(ctx, status, resourceVersion);
  } finally {
    end(isNews(homeserver, status) ? undefined : written);
  }
  env.metrics.writes.inc({ kind: 'MatrixHomeserver' });
  return written.metadata.resourceVersion;
}

async function applyGuarded(ctx: StepContext, status: Status, version: string): Promise<KubeObject> {
  const { env, owner } = ctx;
  const { namespace, name } = owner;
  let resourceVersion = version;
  for (let newer = 0; ; newer += 1) {
    try {
      const patch = { namespace, name, resourceVersion, status };
      return await env.client.applyStatus(KINDS.homeserver, patch, MANAGERS.status);
    } catch (error) {
      const next = isConflict(error) && newer < MAX_NEWER ? await newerVersion(ctx) : undefined;
      if (next === undefined || next === resourceVersion) throw error;
      resourceVersion = next;
    }
  }
}

/**
 * Version of the resource if only labels, annotations and the like were changed. Whoever changes those more often than a run
 * takes, which may be 10 s and more while a database hangs, would otherwise keep the status from ever being told.
 */
async function newerVersion({ env, owner, homeserver }: StepContext): Promise<string | undefined> {
  const { namespace, name } = owner;
  const found = await env.client.get(KINDS.homeserver, { namespace, name });
  const newer = found && homeserverCopy(found).resource;
  if (newer === undefined) return undefined;
  const about = ({ metadata, status }: typeof homeserver) =>
    stableJson([metadata.uid, metadata.generation, metadata.deletionTimestamp ?? null, status]);
  return about(newer) === about(homeserver) ? newer.metadata.resourceVersion : undefined;
}

/**
 * Whether a step of a later run makes something of the new status that this run could not: only the port of a database server
 * that the spec does not name. All else is told to people, or to other resources, or taken up again should a Secret be lost.
 */
function isNews({ spec, status: before }: MatrixHomeserver, status: Status): boolean {
  return spec.database.server === undefined && before.database?.server !== status.database?.server;
}
