import type { Reason } from '../api/reasons.ts';
import type { UpgradePlan } from '../api/upgrade-status.ts';
import type { Catalogue, CatalogueEntry, Migration } from './catalogue.ts';
import { versionsOf } from './catalogue.ts';
import { planId } from './id-of-plan.ts';
import { compareVersions } from './semver.ts';

/** What the database says about its schema: a program of level L may serve if compatVersion <= L <= schemaVersion. */
export interface SchemaFacts {
  readonly schemaVersion: number;
  readonly compatVersion: number;
}

/** A version as it is deployed. */
export interface Deployed {
  readonly version: string;
  readonly image: string;
}

/** What is remembered, in the database, of the plan that was accepted last. Times in Unix ms by its clock. */
export interface UpgradeRecord {
  readonly plan: UpgradePlan;
  readonly acceptedAt: number;
  /** Since when everything looks well; undefined while it does not. */
  readonly goodSince: number | undefined;
  /** When the version was found to serve well. */
  readonly verifiedAt: number | undefined;
}

export interface PlanInput {
  readonly catalogue: Catalogue;
  readonly operatorVersion: string;
  readonly wanted: Deployed;
  /** Undefined before the first migration. */
  readonly schema: SchemaFacts | undefined;
  /** Names of the migrations that the database has. */
  readonly applied: readonly string[];
  /** What the Deployment asks for; undefined when there is none. */
  readonly running: Deployed | undefined;
  readonly record: UpgradeRecord | undefined;
  readonly backup: UpgradePlan['backup'];
  /** Backups that are in their store, newest first. */
  readonly backups: readonly BackupToName[];
}

/** What is said of a backup to somebody who may want to go back to it. Times in Unix ms. */
export interface BackupToName {
  readonly id: string;
  readonly place: string;
  readonly version: string;
  readonly schemaVersion: number;
  readonly takenAt: number;
}

const MAX_NAMES = 100;
const MAX_ROLLBACKS = 16;

/** The way from what is to the wanted version. A plan that was accepted and still leads there stays as it is. */
export function planUpgrade(input: PlanInput): UpgradePlan {
  const entry = input.catalogue.versions[input.wanted.version];
  const { record } = input;
  if (record === undefined || !leadsTo(record.plan, input.wanted)) return newPlan(input, entry);
  const refusal = refuse(input, entry);
  return refusal === undefined ? record.plan : { ...record.plan, refusal };
}

function newPlan(input: PlanInput, entry: CatalogueEntry | undefined): UpgradePlan {
  const { wanted, backup } = input;
  const { kind, from } = origin(input, entry);
  const refusal = refuse(input, entry) ?? refusePath(input, entry, { kind, from });
  const work = pendingWork(input, entry);
  return {
    id: idOf(input, entry, { kind, from, work }),
    kind,
    ...(from === undefined ? {} : { from }),
    to: wanted.version,
    image: wanted.image,
    steps: entry === undefined || refusal !== undefined ? [] : stepsOf(input, entry, { kind, from, work }),
    backup,
    rollbackTo: rollbackTargets(input),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

/** Whether a plan ends at what is wanted. */
export function leadsTo(plan: Pick<UpgradePlan, 'to' | 'image'>, wanted: Deployed): boolean {
  return plan.to === wanted.version && plan.image === wanted.image;
}

type Kind = UpgradePlan['kind'];
interface Origin {
  readonly kind: Kind;
  readonly from: string | undefined;
}

function origin(input: PlanInput, entry: CatalogueEntry | undefined): Origin {
  const from = servingVersion(input);
  if (from === undefined) return { kind: 'Install', from };
  const isOlder = compareVersions(input.wanted.version, from) < 0;
  // An older version on a database that lacks something of it (restored, say) needs migrations, so it is no rollback.
  const fits = entry !== undefined && (input.schema?.schemaVersion ?? 0) >= entry.schemaLevel;
  return { kind: isOlder && fits ? 'Rollback' : 'Upgrade', from };
}

/** The version that serves. Back from a plan that was not finished, it is that plan's version that is left. */
function servingVersion({ record, running, wanted }: PlanInput): string | undefined {
  if (record === undefined) {
    return running === undefined || running.version === wanted.version ? undefined : running.version;
  }
  const { plan, verifiedAt } = record;
  return verifiedAt !== undefined || plan.from === wanted.version ? plan.to : plan.from;
}

interface Work {
  readonly expand: readonly Migration[];
  readonly contract: readonly Migration[];
}

function pendingWork({ applied }: PlanInput, entry: CatalogueEntry | undefined): Work {
  const done = new Set(applied);
  const migrations = entry?.migrations ?? [];
  const of = (phase: Migration['phase']) => migrations.filter((one) => one.phase === phase && !done.has(one.name));
  return { expand: of('expand'), contract: of('contract') };
}

/** Whether the database still lacks something that a program of this version needs. */
export function needsExpand(input: Pick<PlanInput, 'schema' | 'applied'>, entry: CatalogueEntry): boolean {
  const done = new Set(input.applied);
  const missing = entry.migrations.some(({ name, phase }) => phase === 'expand' && !done.has(name));
  return missing || (input.schema?.schemaVersion ?? 0) < entry.schemaLevel;
}

/** Whether something is left in the database that only older versions need. */
export function needsContract(input: Pick<PlanInput, 'schema' | 'applied'>, entry: CatalogueEntry): boolean {
  const done = new Set(input.applied);
  const missing = entry.migrations.some(({ name, phase }) => phase === 'contract' && !done.has(name));
  return input.schema !== undefined && (missing || input.schema.compatVersion < entry.compatLevel);
}

type Draft = Origin & { readonly work: Work };

/** The plan accepted before is one of the inputs: what was done for an earlier plan with the same way and the same schema is not done for this one. */
function idOf(
  { wanted, schema, record }: PlanInput,
  entry: CatalogueEntry | undefined,
  { kind, from, work }: Draft,
): string {
  const targets = entry === undefined ? [0, 0] : [entry.schemaLevel, entry.compatLevel];
  const names = [...work.expand, ...work.contract].map(({ name }) => name);
  const found = schema === undefined ? [null, null] : [schema.schemaVersion, schema.compatVersion];
  const before = record?.plan.id ?? null;
  return planId([kind, from ?? null, wanted.version, wanted.image, found, targets, names, before]);
}

function stepsOf(input: PlanInput, entry: CatalogueEntry, { kind, from, work }: Draft): UpgradePlan['steps'] {
  const isRollback = kind === 'Rollback';
  const steps: UpgradePlan['steps'] = [];
  const add = (phase: UpgradePlan['steps'][number]['phase'], migrations: readonly Migration[] = []) => {
    const names = migrations.slice(0, MAX_NAMES).map(({ name }) => name);
    steps.push({ phase, ...(names.length > 0 ? { migrations: names } : {}), reversible: phase !== 'Contracting' });
  };
  if (kind !== 'Install') add('Preflight');
  const hasExpand = !isRollback && needsExpand(input, entry);
  const hasContract = !isRollback && needsContract(input, entry);
  if (needsBackup(input, { kind, from }, hasExpand || hasContract)) add('BackingUp');
  if (hasExpand) add('Expanding', work.expand);
  add('Rolling');
  add('Verifying');
  if (hasContract) {
    add('Soaking');
    add('Contracting', work.contract);
  }
  return steps;
}

/** Another version may write what the one before cannot read, also without SQL; another digest of the same one does not. */
function needsBackup({ backup, wanted }: PlanInput, { kind, from }: Origin, hasSql: boolean): boolean {
  return backup === 'Required' && kind === 'Upgrade' && (from !== wanted.version || hasSql);
}

function rollbackTargets({ catalogue, wanted, schema }: PlanInput): string[] {
  const opened = schema?.compatVersion ?? catalogue.versions[wanted.version]?.compatLevel ?? 0;
  return olderThatFit(catalogue, wanted.version, opened).reverse().slice(0, MAX_ROLLBACKS);
}

/** Versions before `version` that may serve on a database open from level `compatVersion`, oldest first. */
export function olderThatFit(catalogue: Catalogue, version: string, compatVersion: number): string[] {
  return versionsOf(catalogue).filter(
    (one) => compareVersions(one, version) < 0 && (catalogue.versions[one]?.schemaLevel ?? 0) >= compatVersion,
  );
}

interface Refusal {
  readonly reason: Extract<Reason, 'VersionUnknown' | 'OperatorTooOld' | 'RollbackUnsafe' | 'UpgradePathUnsupported'>;
  readonly message: string;
}

/** Why the version must not serve here. */
function refuse(input: PlanInput, entry: CatalogueEntry | undefined): Refusal | undefined {
  const { catalogue, wanted, operatorVersion, schema } = input;
  if (entry === undefined) return { reason: 'VersionUnknown', message: unknownVersion(catalogue, wanted.version) };
  if (compareVersions(entry.minOperator, operatorVersion) > 0) {
    const message = `version ${wanted.version} needs an operator from ${entry.minOperator} on, this one is ${operatorVersion}; upgrade the operator first`;
    return { reason: 'OperatorTooOld', message };
  }
  if (schema !== undefined && entry.schemaLevel < schema.compatVersion) {
    return { reason: 'RollbackUnsafe', message: unsafe(input, entry, schema) };
  }
  return undefined;
}

/** What is said of a version that is not in the catalogue. */
export function unknownVersion(catalogue: Catalogue, version: string): string {
  return `version ${version} is not known to this operator; it knows ${versionsOf(catalogue).join(', ')}`;
}

function unsafe(input: PlanInput, entry: CatalogueEntry, { compatVersion }: SchemaFacts): string {
  const { catalogue, wanted } = input;
  const oldest = versionsOf(catalogue).find((one) => (catalogue.versions[one]?.schemaLevel ?? 0) >= compatVersion);
  const way = oldest === undefined ? 'upgrade the operator' : `the oldest version that fits is ${oldest}`;
  return (
    `the database needs programs of schema level ${compatVersion} or higher, version ${wanted.version} has ` +
    `${entry.schemaLevel}; ${way}, or ${restoreInstead(input, entry)} into another database`
  );
}

/** The newest backup that the wanted version knows every migration of. */
function restoreInstead({ backups }: PlanInput, { schemaLevel }: CatalogueEntry): string {
  const fits = backups.find(({ schemaVersion }) => schemaVersion <= schemaLevel);
  if (fits === undefined) return 'restore a backup from before';
  const { id, place, version, takenAt } = fits;
  const time = `${new Date(takenAt).toISOString().slice(0, 19)}Z`;
  return `restore backup ${id} (${place}, ${time}, by version ${version})`;
}

/** Why there is no way from the version that serves. */
function refusePath(
  { catalogue, wanted }: PlanInput,
  entry: CatalogueEntry | undefined,
  { kind, from }: Origin,
): Refusal | undefined {
  if (entry === undefined || kind !== 'Upgrade' || from === undefined) return undefined;
  const { upgradeFrom } = entry;
  if (compareVersions(from, upgradeFrom) >= 0) return undefined;
  const between = versionsOf(catalogue)
    .reverse()
    .find(
      (one) =>
        compareVersions(one, wanted.version) < 0 &&
        compareVersions(one, from) > 0 &&
        compareVersions(from, catalogue.versions[one]?.upgradeFrom ?? one) >= 0,
    );
  const way = between === undefined ? 'this operator knows no step in between' : `set spec.version to ${between} first`;
  const message = `version ${wanted.version} can be reached from ${upgradeFrom} on, ${from} runs; ${way}`;
  return { reason: 'UpgradePathUnsupported', message };
}
