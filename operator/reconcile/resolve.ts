import type { MatrixHomeserver, Spec } from '../api/matrix-homeserver.ts';
import type { TlsSettings } from '../database/connect.ts';
import { OperatorError } from '../errors.ts';
import { renderConfig } from '../resources/homeserver-config.ts';
import type { PodImage } from '../resources/pod-template.ts';
import type { Catalogue } from '../upgrades/catalogue.ts';
import type { Deployed } from '../upgrades/plan-upgrade.ts';
import { unknownVersion } from '../upgrades/plan-upgrade.ts';
import { isNewerMinor } from '../upgrades/semver.ts';
import { serverNameTerm } from './caches.ts';
import { digestOf } from './digest.ts';
import type { Environment, ReconcileSettings } from './environment.ts';
import type { Blocked, StepContext, StepResult } from './step.ts';
import { blocked, done } from './step.ts';

/** What the spec comes to once defaults are applied; the version needs the database and is decided later. */
export interface Resolved {
  readonly configYaml: string;
  /** 10 hex digits; part of the ConfigMap's name. */
  readonly configHash: string;
}

/** The configuration, without any request. Refuses: VersionUnknown, ConfigInvalid. */
export function resolve({ env, homeserver }: StepContext): StepResult<Resolved> {
  const { spec } = homeserver;
  const { catalogue } = env.settings;
  if (spec.version !== undefined && catalogue.versions[spec.version] === undefined) {
    return blocked('VersionUnknown', unknownVersion(catalogue, spec.version));
  }
  const config = renderConfig(spec);
  if (!config.ok) return blocked('ConfigInvalid', config.message);
  return done({ configYaml: config.yaml, configHash: digestOf([config.yaml], 10) });
}

/** The same with the TLS mode of a server entry, which is known only once the entry was read. */
export function withTlsMode(resolved: Resolved, spec: Spec, mode: TlsSettings['mode']): Resolved {
  const config = renderConfig(spec, mode);
  if (!config.ok) throw new OperatorError('ObjectInvalid', config.message);
  return { ...resolved, configYaml: config.yaml, configHash: digestOf([config.yaml], 10) };
}

export interface ImageInput {
  /** `spec.image`. */
  readonly image: Partial<NonNullable<MatrixHomeserver['spec']['image']>> | undefined;
  readonly settings: Pick<ReconcileSettings, 'catalogue' | 'homeserverImage'>;
}

/**
 * The image of a version: the operator's own for the version built with it, else one of the same repository, by the digest
 * of the catalogue or else by its tag. What runs this version from there already is kept: no restart for another name.
 */
export function resolveImage(
  { image, settings }: ImageInput,
  version: string,
  running: Deployed | undefined,
): PodImage {
  return podImage(image, referenceOf({ image, settings }, version, running));
}

/** A reference with what the spec says of pulling it. */
export function podImage(image: ImageInput['image'], reference: string): PodImage {
  const { pullPolicy = 'IfNotPresent', pullSecretRefs = [] } = image ?? {};
  return { reference, pullPolicy, pullSecrets: pullSecretRefs.map(({ name }) => name) };
}

function referenceOf({ image, settings }: ImageInput, version: string, running: Deployed | undefined): string {
  const { repository, digest } = image ?? {};
  const base = repository ?? repositoryOf(settings.homeserverImage);
  if (digest !== undefined) return `${base}@${digest}`;
  if (repository === undefined && version === settings.catalogue.default) return settings.homeserverImage;
  if (running?.version === version && isOurTag(running.image, base)) return running.image;
  return catalogued(base, version, settings.catalogue);
}

function catalogued(base: string, version: string, catalogue: Catalogue): string {
  const digest = catalogue.versions[version]?.digest;
  return digest === undefined ? `${base}:${version}` : `${base}@${digest}`;
}

/** A tag is always of our choice; a digest may be one that the spec named before. */
function isOurTag(image: string, base: string): boolean {
  return repositoryOf(image) === base && !image.includes('@');
}

/** Refuses to touch what a newer operator has worked on: it may know things that this one would undo. */
export function findNewerOperator({ env, homeserver }: StepContext): Blocked | undefined {
  const { operatorVersion = '' } = homeserver.status;
  if (!isNewerMinor(operatorVersion, env.settings.operatorVersion)) return undefined;
  return blocked(
    'OperatorTooOld',
    `operator ${operatorVersion} has worked on this resource, this one is ${env.settings.operatorVersion} and touches ` +
      'nothing; upgrade the operator, or remove status.operatorVersion to let this one take over',
  );
}

/** Whether two versions read each other's configuration. */
export function readSameConfig({ versions }: Catalogue, one: string, other: string): boolean {
  return versions[one]?.configSchema === versions[other]?.configSchema;
}

function repositoryOf(image: string): string {
  const [withoutDigest = image] = image.split('@');
  const colon = withoutDigest.lastIndexOf(':');
  return colon > withoutDigest.lastIndexOf('/') ? withoutDigest.slice(0, colon) : withoutDigest;
}

/** Refuses the younger of two resources with one server name: two servers of one name break federation for both. */
export function findServerNameConflict(env: Environment, homeserver: MatrixHomeserver): Blocked | undefined {
  const { metadata, spec } = homeserver;
  const older = env.caches.homeservers
    .find(serverNameTerm(spec.serverName))
    .map(({ resource }) => resource)
    .filter((other) => other !== undefined)
    .find((other) => other.metadata.uid !== metadata.uid && isOlder(other, homeserver));
  if (older === undefined) return undefined;
  const { namespace, name } = older.metadata;
  return blocked(
    'ServerNameConflict',
    `serverName ${spec.serverName} is already taken by the older resource ${namespace}/${name}; delete one of the two`,
  );
}

export function isOlder(one: MatrixHomeserver, than: MatrixHomeserver): boolean {
  return age(one).localeCompare(age(than)) < 0;
}

/** Sorts by creation; the uid settles it within one second. */
function age({ metadata }: MatrixHomeserver): string {
  return `${metadata.creationTimestamp} ${metadata.uid}`;
}
