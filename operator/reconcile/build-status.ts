import type { Status } from '../api/status.ts';
import { allConditions } from '../conditions/all-conditions.ts';
import { available } from '../conditions/available.ts';
import { mergeConditions } from '../conditions/merge.ts';
import type { ConditionResult, Observed } from '../conditions/observed.ts';
import { paused } from '../conditions/paused.ts';
import type { ServingFacts } from '../database/serving-facts.ts';
import { endpointsOf } from '../resources/endpoints.ts';
import { newerThan } from '../upgrades/catalogue.ts';
import { isNewerMinor } from '../upgrades/semver.ts';
import { podSelectorText } from '../resources/labels.ts';
import type { DeploymentCopy } from './child-copies.ts';
import type { ReadyDatabase } from './ready-database.ts';
import type { ReadyKeys } from './ensure-signing-keys.ts';
import type { OutsideView } from './look-from-outside.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import { rfc3339 } from './rfc3339.ts';
import { specHash } from './spec-hash.ts';
import type { StepContext, StepResult } from './step.ts';
import { upgradeStatus } from './upgrade-status.ts';

/** What the steps found; a part that could not be looked at keeps its last known status. */
export interface Findings {
  readonly observed: Observed;
  readonly deployment: DeploymentCopy | undefined;
  readonly upgrade: UpgradeDecision | undefined;
  readonly database: ReadyDatabase | undefined;
  readonly keys: ReadyKeys | undefined;
  readonly outside: OutsideView;
}

/** The whole status after a run of all steps. */
export function buildStatus(ctx: StepContext, found: Findings): Status {
  const { homeserver, owner, env } = ctx;
  const before = homeserver.status;
  const { generation } = homeserver.metadata;
  const at = { generation, now: rfc3339(env.now()) };
  return {
    ...before,
    ...podCounts(found.deployment),
    observedGeneration: generation,
    conditions: mergeConditions(before.conditions, allConditions(found.observed), at),
    selector: podSelectorText(owner.name),
    version: versionStatus(ctx, found),
    schema: found.upgrade?.facts.schema === undefined ? before.schema : schemaStatus(found.upgrade.facts.schema),
    upgrade: found.upgrade === undefined ? before.upgrade : upgradeStatus(found.upgrade),
    database: found.database === undefined ? before.database : databaseStatus(found.database),
    signingKeys: found.keys === undefined ? before.signingKeys : keysStatus(ctx, found.keys),
    endpoints: endpointsOf(owner, homeserver.spec),
    federation: found.outside.status,
    backup: backupStatus(found.observed),
    lastAppliedSpecHash: specHash(homeserver.spec),
    operatorVersion: newestOperator(before.operatorVersion, env.settings.operatorVersion),
  };
}

/** The status as soon as a new generation is seen: work has begun, the parts are as they were. */
export function buildSeenStatus({ homeserver, env }: StepContext): Status {
  const { status, metadata } = homeserver;
  const results = [
    { type: 'Ready', status: 'False', reason: 'Provisioning', message: 'a new generation was seen' },
    { type: 'Reconciling', status: 'True', reason: 'Provisioning', message: 'a new generation was seen' },
    { type: 'Stalled', status: 'False', reason: 'OK', message: 'nothing stands in the way' },
  ] as const;
  const at = { generation: metadata.generation, now: rfc3339(env.now()) };
  const fresh = mergeConditions(status.conditions, results, at);
  const others = status.conditions.filter(({ type }) => !fresh.some((one) => one.type === type));
  return { ...status, observedGeneration: metadata.generation, conditions: [...fresh, ...others] };
}

/** The status of a resource that is on its way out. What stands in the way needs a person, or a server that comes back. */
export function buildDeletingStatus({ homeserver, env }: StepContext, result: StepResult<unknown>): Status {
  const { status, metadata } = homeserver;
  const { reason, message } = result.state === 'waiting' || result.state === 'blocked' ? result : DELETING;
  const stuck = reason !== 'Deleting';
  const wayOut = stuck ? `${message}; set deletion.policy to Retain to let go of the database` : message;
  const at = { generation: metadata.generation, now: rfc3339(env.now()) };
  const results: readonly ConditionResult[] = [
    { type: 'Ready', status: 'False', reason, message: wayOut },
    { type: 'Reconciling', status: stuck ? 'False' : 'True', reason, message: stuck ? 'see Stalled' : message },
    stuck
      ? { type: 'Stalled', status: 'True', reason, message: wayOut }
      : { type: 'Stalled', status: 'False', reason: 'OK', message: 'nothing stands in the way' },
  ];
  const fresh = mergeConditions(status.conditions, results, at);
  const others = status.conditions.filter(({ type }) => !fresh.some((one) => one.type === type));
  return { ...status, observedGeneration: metadata.generation, conditions: [...fresh, ...others] };
}

const DELETING = { reason: 'Deleting', message: 'the resource is being deleted' } as const;

/** While paused nothing is judged anew but what can be seen from outside; a later edit of the spec is not acknowledged. */
export function buildPausedStatus(ctx: StepContext, deployment: DeploymentCopy | undefined): Status {
  const { homeserver, env } = ctx;
  const before = homeserver.status;
  const acknowledged = before.lastAppliedSpecHash === specHash(homeserver.spec);
  const generation = acknowledged ? homeserver.metadata.generation : before.observedGeneration;
  const counts = { replicas: homeserver.spec.replicas, readyReplicas: deployment?.readyReplicas ?? 0 };
  const at = { generation: Math.max(generation, 0), now: rfc3339(env.now()) };
  const fresh = mergeConditions(before.conditions, [available(counts), paused(true)], at);
  const kept = before.conditions.map((old) => fresh.find(({ type }) => type === old.type) ?? old);
  const added = fresh.filter(({ type }) => !before.conditions.some((old) => old.type === type));
  return {
    ...before,
    ...podCounts(deployment),
    observedGeneration: generation,
    conditions: [...kept, ...added],
  };
}

function podCounts(deployment: DeploymentCopy | undefined): Pick<Status, 'replicas' | 'readyReplicas'> {
  return { replicas: deployment?.replicas ?? 0, readyReplicas: deployment?.readyReplicas ?? 0 };
}

/** An older operator that steps back leaves the mark of the newer one. */
function newestOperator(before: string | undefined, own: string): string {
  return before !== undefined && isNewerMinor(before, own) ? before : own;
}

function servedLast(record: UpgradeDecision['facts']['record']): string | undefined {
  return record?.verifiedAt === undefined ? record?.plan.from : record.plan.to;
}

/** The target becomes the current version once it serves. */
function versionStatus({ env, homeserver }: StepContext, { upgrade, observed }: Findings): Status['version'] {
  const before = homeserver.status.version;
  if (upgrade === undefined) return before;
  const serves = observed.gates.verify.state === 'done' ? observed.version : undefined;
  const current = serves ?? before?.current ?? servedLast(upgrade.facts.record);
  const available = current === undefined ? undefined : newerThan(env.settings.catalogue, current);
  const { to, image } = upgrade.plan;
  return {
    ...(current === undefined ? {} : { current }),
    target: to,
    ...(available === undefined ? {} : { available }),
    image,
  };
}

function schemaStatus({ schemaVersion, compatVersion }: NonNullable<ServingFacts['schema']>): Status['schema'] {
  return { version: schemaVersion, compatVersion };
}

function databaseStatus({ login, facts, passwordVersion }: ReadyDatabase): Status['database'] {
  const { name, owner, loginRole, claim, serverVersion } = facts;
  const rotated = passwordVersion === undefined ? {} : { passwordVersion };
  return { server: `${login.host}:${login.port}`, name, owner, loginRole, claim, serverVersion, ...rotated };
}

function keysStatus({ names }: StepContext, { keys, transitions }: ReadyKeys): Status['signingKeys'] {
  return keys.map(({ name, keyId, publicKey, state, since, expiredTs, isDestroyed }) => {
    const next = transitions.get(name);
    return {
      name,
      keyID: keyId,
      publicKey,
      state,
      since: rfc3339(since),
      ...(next === undefined ? {} : { nextTransitionTime: rfc3339(next) }),
      ...(expiredTs === undefined ? {} : { expiredTS: expiredTs }),
      ...(isDestroyed ? {} : { secretName: names.keySecret(name) }),
    };
  });
}

function backupStatus({ backup }: Observed): Status['backup'] {
  if (backup === undefined) return undefined;
  const { lastSuccess, lastFailure, latestId, drill } = backup;
  return {
    ...(lastSuccess === undefined ? {} : { lastSuccessTime: rfc3339(lastSuccess) }),
    ...(lastFailure === undefined ? {} : { lastFailureTime: rfc3339(lastFailure) }),
    ...(drill?.lastSuccess === undefined ? {} : { lastDrillTime: rfc3339(drill.lastSuccess) }),
    ...(latestId === undefined ? {} : { latestID: latestId }),
  };
}
