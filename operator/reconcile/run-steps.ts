import type { DatabaseLogin } from '../database/connect.ts';
import type { DeploymentCopy } from './child-copies.ts';
import { ensureBackup } from './ensure-backup.ts';
import type { ReadyDatabase } from './ready-database.ts';
import { ensureDatabase } from './ensure-database.ts';
import { ensureDeployment } from './ensure-deployment.ts';
import { ensureExposure } from './ensure-exposure.ts';
import { ensureIntegrations } from './ensure-integrations.ts';
import { ensureRestored } from './ensure-restored.ts';
import { ensureConfigMap, ensureObjects } from './ensure-objects.ts';
import type { Secrets } from './ensure-secrets.ts';
import { ensureSecrets } from './ensure-secrets.ts';
import type { ReadyKeys } from './ensure-signing-keys.ts';
import { ensureSigningKeys } from './ensure-signing-keys.ts';
import { lookAtMedia } from './look-at-media.ts';
import { prepareFirstLook, seenFromOutside } from './look-from-outside.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import { decideUpgrade } from './decide-upgrade.ts';
import type { UpgradeOutcome } from './ensure-upgrade.ts';
import { ensureUpgrade } from './ensure-upgrade.ts';
import type { Children } from './observe.ts';
import { prune } from './prune.ts';
import type { Resolved } from './resolve.ts';
import { findNewerOperator, findServerNameConflict, resolve, withTlsMode } from './resolve.ts';
import { ensureSpareDatabase } from './ensure-spare-database.ts';
import { retirePassword } from './rotate-password.ts';
import type { StepContext, StepResult } from './step.ts';
import { done, runStep, skipped, waiting } from './step.ts';
import type { RunOfSteps } from './step-results.ts';
import { allSkipped, failingOf } from './step-results.ts';
import type { UpgradeFacts } from '../upgrades/upgrade-record.ts';
import { readUpgradeFacts } from '../upgrades/upgrade-record.ts';
import type { VersionToDeploy } from './version-to-deploy.ts';
import { imageToRestore, versionToDeploy } from './version-to-deploy.ts';
import { verifyVersion } from './verify-version.ts';

/** A first look takes at most 10 s, and its end brings the resource back by itself. */
const LOOK_MS = 15_000;

interface Rendered {
  readonly resolved: Resolved;
  readonly configMap: string;
}

/** Runs all steps in order; a step whose needs are not met is skipped, the others still run. */
export async function runSteps(ctx: StepContext, children: Children): Promise<RunOfSteps> {
  const conflict = findNewerOperator(ctx) ?? findServerNameConflict(ctx.env, ctx.homeserver);
  if (conflict !== undefined) return { results: allSkipped(conflict), upgrade: undefined, version: undefined };
  prepareFirstLook(ctx);
  const resolved = await runStep(ctx, 'resolve', () => Promise.resolve(resolve(ctx)));
  const objects = await runStep(ctx, 'objects', () => ensureObjects(ctx));
  const exposure = await runStep(ctx, 'exposure', () => ensureExposure(ctx));
  const integrations = await runStep(ctx, 'integrations', () => ensureIntegrations(ctx));
  const secrets = await runStep(ctx, 'secrets', () => ensureSecrets(ctx));
  const database = await after('the Secrets', secrets, (found) =>
    runStep(ctx, 'database', () => ensureDatabase(ctx, found)),
  );
  const rendered = await after('version and configuration', resolved, (found) =>
    runStep(ctx, 'config', () => render(ctx, found, secrets)),
  );
  const restored = await restoreStep(ctx, { children, secrets, database, rendered });
  const keys = await after('the database', restored, ({ login }) => runStep(ctx, 'keys', () => keysStep(ctx, login)));
  const base = { children, secrets, database: restored, keys, rendered };
  const found = await schemaStep(ctx, base);
  const { decision, result: schema } = found;
  const wanted = versionToDeploy(ctx, decision, children.deployment);
  const deployment = await deploymentStep(ctx, base, wanted);
  const verified = await verifyStep(ctx, base, { ...found, deployment, version: wanted.version });
  // What follows works with the API server, or with the server as a whole.
  await ctx.tenant.end();
  const retired = await retireStep(ctx, database, verified);
  const around = { objects: failingOf(objects, rendered), exposure, integrations };
  const backup = await backupStep(ctx, base, wanted);
  const spare = await after('the database', database, (ready) =>
    runStep(ctx, 'spare', () => ensureSpareDatabase(ctx, ready, children.jobs)),
  );
  const running = deployment.state === 'done' ? deployment.value : children.deployment;
  const media = await runStep(ctx, 'media', () => lookAtMedia(ctx, running));
  const work = { deployment, verified, retired, backup, spare, media };
  const results = { resolved, secrets, database: restored, keys, schema, ...around, ...work };
  const upgrade = verified.state === 'done' ? verified.value : decision;
  return { results, upgrade, version: wanted.version };
}

/** Over TLS to a server entry as the entry says, and only the Secrets step has read it. */
async function render(ctx: StepContext, found: Resolved, secrets: StepResult<Secrets>): Promise<StepResult<Rendered>> {
  const { spec } = ctx.homeserver;
  if (spec.database.serverRef === undefined) {
    return done({ resolved: found, configMap: await ensureConfigMap(ctx, found) });
  }
  if (secrets.state !== 'done') return skipped('waits for the Secrets');
  const resolved = withTlsMode(found, spec, secrets.value.references.tls.mode);
  return done({ resolved, configMap: await ensureConfigMap(ctx, resolved) });
}

interface Base {
  readonly children: Children;
  readonly secrets: StepResult<Secrets>;
  readonly database: StepResult<ReadyDatabase>;
  readonly keys: StepResult<ReadyKeys>;
  readonly rendered: StepResult<Rendered>;
}

/** The first key waits for the first look: a name that answers already with the keys of somebody else gets none of ours. */
async function keysStep(ctx: StepContext, login: DatabaseLogin): Promise<StepResult<ReadyKeys>> {
  const outside = seenFromOutside(ctx);
  if (outside !== 'not yet') return ensureSigningKeys(ctx, login, outside);
  return waiting(
    'Provisioning',
    'looks whether the server name answers already, before the first key is made',
    LOOK_MS,
  );
}

/** A new database is filled before anything else is made for it. */
async function restoreStep(
  ctx: StepContext,
  { children, secrets, database, rendered }: Omit<Base, 'keys'>,
): Promise<StepResult<ReadyDatabase>> {
  if (database.state !== 'done' || ctx.homeserver.spec.bootstrap === undefined) return database;
  if (rendered.state !== 'done' || secrets.state !== 'done') return skipped('waits for version and configuration');
  const { login } = database.value;
  const { configMap } = rendered.value;
  const image = imageToRestore(ctx, children.deployment);
  const input = { login, image, configMap, secrets: secrets.value, jobs: children.jobs };
  const result = await runStep(ctx, 'restore', () => ensureRestored(ctx, input));
  return result.state === 'done' ? database : result;
}

/** By the version that serves; where none does yet there is no schema, and a backup would fail. */
async function backupStep(
  ctx: StepContext,
  { rendered, secrets }: Base,
  { image, because }: VersionToDeploy,
): Promise<StepResult<unknown>> {
  if (rendered.state !== 'done' || secrets.state !== 'done') return skipped('waits for version and configuration');
  if (image === undefined) return skipped(because);
  const input = { image, configMap: rendered.value.configMap, secrets: secrets.value };
  return runStep(ctx, 'backup', () => ensureBackup(ctx, input));
}

interface SchemaResult {
  readonly decision: UpgradeDecision | undefined;
  readonly result: StepResult<UpgradeFacts>;
  readonly decideAgain?: () => Promise<UpgradeDecision>;
}

/** The Jobs mount the keyring like every pod, so they start after the keys. */
async function schemaStep(ctx: StepContext, base: Base): Promise<SchemaResult> {
  const { secrets, database, keys, rendered, children } = base;
  const wait = (what: string): SchemaResult => ({ decision: undefined, result: skipped(`waits for ${what}`) });
  if (rendered.state !== 'done') return wait('version and configuration');
  if (secrets.state !== 'done' || database.state !== 'done') return wait('the database');
  if (keys.state !== 'done') return wait('the signing keys');
  const { configMap } = rendered.value;
  const { jobs, deployment } = children;
  const input = { configMap, secrets: secrets.value, jobs, deployment };
  const { login } = database.value;
  let outcome: UpgradeOutcome | undefined;
  const result = await runStep(ctx, 'schema', async () => {
    outcome = await ensureUpgrade(ctx, input, login);
    return outcome.result;
  });
  const decideAgain = async () => decideUpgrade(ctx, input, await readUpgradeFacts(login));
  return { decision: outcome?.decision, result, decideAgain };
}

/** The Deployment appears only when schema and keys are there, so pods never start in vain. */
async function deploymentStep(
  ctx: StepContext,
  { children, secrets, keys, rendered }: Base,
  wanted: VersionToDeploy,
): Promise<StepResult<DeploymentCopy>> {
  if (rendered.state !== 'done') return skipped('waits for version and configuration');
  if (secrets.state !== 'done') return skipped('waits for the Secrets');
  const { version, image, isUpgrading, because } = wanted;
  if (version === undefined) return skipped(because);
  const { configMap } = rendered.value;
  const keyringRestart = keys.state === 'done' ? keys.value.restartGeneration : undefined;
  const pods = { version, image, isUpgrading, configMap, keyringRestart };
  const input = { ...pods, secrets: secrets.value, cached: children.deployment };
  return runStep(ctx, 'deployment', () => ensureDeployment(ctx, input));
}

interface ToVerify extends SchemaResult {
  readonly deployment: StepResult<DeploymentCopy>;
  readonly version: string | undefined;
}

async function retireStep(
  ctx: StepContext,
  database: StepResult<ReadyDatabase>,
  verified: StepResult<unknown>,
): Promise<StepResult<unknown>> {
  if (database.state !== 'done' || verified.state !== 'done') return skipped('waits for the replicas');
  return runStep(ctx, 'retire', () => retirePassword(ctx, database.value));
}

async function verifyStep(ctx: StepContext, base: Base, found: ToVerify): Promise<StepResult<UpgradeDecision>> {
  const { database, keys, rendered } = base;
  const { decision, decideAgain, deployment, version } = found;
  if (found.result.state !== 'done' || keys.state !== 'done' || database.state !== 'done')
    return skipped('waits for the database');
  if (rendered.state !== 'done' || deployment.state !== 'done' || version === undefined)
    return skipped('waits for the Deployment');
  if (decision === undefined || decideAgain === undefined) return skipped('waits for the schema');
  const { login } = database.value;
  const input = { deployment: deployment.value, decision, version, keys: keys.value, login, decideAgain };
  const result = await runStep(ctx, 'verify', () => verifyVersion(ctx, input));
  return result.state === 'done' ? pruned(ctx, rendered.value.configMap, result) : result;
}

async function pruned<T>(ctx: StepContext, configMap: string, result: StepResult<T>): Promise<StepResult<T>> {
  const found = await runStep(ctx, 'prune', () => prune(ctx, configMap));
  return found.state === 'done' ? result : found;
}

async function after<T, Next>(
  what: string,
  result: StepResult<T>,
  work: (value: T) => Promise<StepResult<Next>>,
): Promise<StepResult<Next>> {
  return result.state === 'done' ? work(result.value) : skipped(`waits for ${what}`);
}
