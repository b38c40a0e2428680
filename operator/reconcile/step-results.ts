import type { MediaReport, Observed } from '../conditions/observed.ts';
import type { UpgradeFacts } from '../upgrades/upgrade-record.ts';
import type { DeploymentCopy } from './child-copies.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import type { Secrets } from './ensure-secrets.ts';
import type { ReadyKeys } from './ensure-signing-keys.ts';
import type { ReadyDatabase } from './ready-database.ts';
import type { Resolved } from './resolve.ts';
import type { Blocked, StepResult } from './step.ts';
import { reportOf, skipped } from './step.ts';

/** The result of every step of one run. */
export interface StepResults {
  readonly resolved: StepResult<Resolved>;
  readonly secrets: StepResult<Secrets>;
  readonly database: StepResult<ReadyDatabase>;
  readonly keys: StepResult<ReadyKeys>;
  readonly schema: StepResult<UpgradeFacts>;
  readonly objects: StepResult<unknown>;
  readonly deployment: StepResult<DeploymentCopy>;
  readonly verified: StepResult<UpgradeDecision>;
  readonly exposure: StepResult<unknown>;
  /** Closing the login that is no longer used; no condition waits for it. */
  readonly retired: StepResult<unknown>;
  readonly integrations: StepResult<unknown>;
  readonly backup: StepResult<unknown>;
  /** The spare database of restore drills. */
  readonly spare: StepResult<unknown>;
  /** What replicas say of the bucket for files; no other condition waits for it. */
  readonly media: StepResult<MediaReport | undefined>;
}

/** The results, and what was decided about the version, which is told also while a step waits. */
export interface RunOfSteps {
  readonly results: StepResults;
  readonly upgrade: UpgradeDecision | undefined;
  /** Version of the pods that are wanted now. */
  readonly version: string | undefined;
}

/** The first result unless it is done, then the second: two steps that one condition speaks of. */
export function failingOf(first: StepResult<unknown>, second: StepResult<unknown>): StepResult<unknown> {
  return first.state === 'done' ? second : first;
}

/** Nothing is done because of one thing that stands in the way of all. */
export function allSkipped(conflict: Blocked): StepResults {
  const rest = skipped('waits until the server name is free');
  return {
    resolved: conflict,
    secrets: rest,
    database: rest,
    keys: rest,
    schema: rest,
    objects: rest,
    deployment: rest,
    verified: rest,
    exposure: rest,
    retired: rest,
    integrations: rest,
    backup: rest,
    spare: rest,
    media: rest,
  };
}

/** The keys as a gate: done only when every key is in the state that the spec asks for. */
function keysProgress(keys: StepResult<ReadyKeys>): StepResult<unknown> {
  return keys.state === 'done' ? (keys.value.progress ?? keys) : keys;
}

/** All results as they say when to look again. */
export function outcomesOf(results: StepResults): StepResult<unknown>[] {
  return [...Object.values<StepResult<unknown>>({ ...results }), keysProgress(results.keys)];
}

/** The reports that conditions are made from. */
export function gatesOf(results: StepResults): Observed['gates'] {
  const { resolved, secrets, database, keys, schema, objects, deployment, verified } = results;
  return {
    resolve: reportOf(resolved),
    secrets: reportOf(secrets),
    database: reportOf(database),
    keys: reportOf(keysProgress(keys)),
    schema: reportOf(schema),
    workload: reportOf(failingOf(objects, deployment)),
    verify: reportOf(verified),
    exposure: reportOf(results.exposure),
    integrations: reportOf(results.integrations),
  };
}
