import { DATABASE_SERVER_LABEL, HOMESERVER_LABEL, WATCH_LABEL } from '../resources/labels.ts';
import type { ApiDiscovery } from '../runtime/api-discovery.ts';
import type { ChildCopy } from '../runtime/apply.ts';
import type { KubeClient } from '../runtime/kube-client.ts';
import type { KubeObject, ObjectName, Resource } from '../runtime/kube-object.ts';
import { objectKey } from '../runtime/kube-object.ts';
import { createOptionalReflector } from '../runtime/optional-reflector.ts';
import type { Reflector, ReflectorOptions, ReflectorTiming } from '../runtime/reflector.ts';
import { createReflector } from '../runtime/reflector.ts';
import type { ClaimCopy, DeploymentCopy, JobCopy } from './child-copies.ts';
import { claimCopy, deploymentCopy, jobCopy, ownerKeys, plainCopy } from './child-copies.ts';
import type { HomeserverCopy } from './homeserver-copy.ts';
import { homeserverCopy, referencedSecrets } from './homeserver-copy.ts';
import type { OwnedKind } from './kinds.ts';
import { KINDS, OWNED_KINDS } from './kinds.ts';
import type { HttpRouteCopy, IngressCopy, ServiceCopy } from './route-copies.ts';
import { httpRouteCopy, ingressCopy, serviceCopy } from './route-copies.ts';

/** Copies of one kind over all watched namespaces. */
export interface Cache<Kept> {
  get(key: string): Kept | undefined;
  values(): readonly Kept[];
  /** By what a copy can be found, without a look at all others; see the terms below. */
  find(term: string): readonly Kept[];
}

/** Terms of the caches. Children are found by the queue key of their owner. */
export const serverNameTerm = (serverName: string): string => `server ${serverName}`;
export const publicKeyTerm = (publicKey: string): string => `key ${publicKey}`;

export interface Caches {
  readonly homeservers: Cache<HomeserverCopy>;
  readonly deployments: Cache<DeploymentCopy>;
  readonly jobs: Cache<JobCopy>;
  readonly claims: Cache<ClaimCopy>;
  readonly services: Cache<ServiceCopy>;
  readonly ingresses: Cache<IngressCopy>;
  readonly httpRoutes: Cache<HttpRouteCopy>;
  /** The cache of any owned kind, those above included. */
  owned(kind: OwnedKind): Cache<ChildCopy>;
  /** Whether a namespace is known to be being deleted; never where only single namespaces are watched. */
  isTerminating(namespace: string): boolean;
  readonly configMaps: Cache<ConfigMapCopy>;
  /** Whether the Secrets and ConfigMaps of a namespace are watched: then what is not in the caches is most likely not there. */
  seesSecrets(namespace: string): boolean;
  /** Version of a Secret or ConfigMap; undefined where it is not there or not watched. */
  versionOf(resource: Resource, name: ObjectName): string | undefined;
  /**
   * Tells the caches that this process writes an object; to be called with what was written, which is no news then, or without
   * when nothing was, or when it shall be news.
   */
  expect(resource: Resource, name: ObjectName): (written: KubeObject | undefined) => void;
}

export interface CacheOptions {
  readonly client: KubeClient;
  readonly discovery: ApiDiscovery;
  /** Empty: the whole cluster. */
  readonly namespaces: readonly string[];
  /** Where Secrets and ConfigMaps may be watched; `all`: wherever the others are. Elsewhere they are read at each resync. */
  readonly secretNamespaces: readonly string[] | 'all';
  /** Of the operator, where the entries of database servers are. */
  readonly operatorNamespace: string;
  readonly onKey: (key: string) => void;
  readonly onEvent: NonNullable<ReflectorOptions<unknown>['onEvent']>;
  readonly timing?: Partial<ReflectorTiming>;
}

type AnyReflector = Pick<Reflector<unknown>, 'run' | 'isSynced' | 'staleMs' | 'resource' | 'assume' | 'expect'>;

export interface Reflectors {
  /** Nothing is worked on before these have been read. */
  readonly required: readonly (AnyReflector & Pick<Reflector<unknown>, 'synced'>)[];
  /** Of kinds that a cluster may lack. */
  readonly optional: readonly AnyReflector[];
}

/** Three watches each, and each watch holds a connection and its memory. */
const MOST_SECRET_NAMESPACES = 66;

/** Where Secrets and ConfigMaps are watched; undefined: the whole cluster. Elsewhere they are read when they are looked at. */
export function watchedForSecrets(
  wanted: CacheOptions['secretNamespaces'],
  watched: readonly (string | undefined)[],
): readonly (string | undefined)[] {
  return wanted === 'all' ? watched : wanted.slice(0, MOST_SECRET_NAMESPACES);
}

/** All reflectors of an operator and the caches they fill. */
export function createCaches(options: CacheOptions): { caches: Caches; reflectors: Reflectors } {
  const { discovery } = options;
  const reflectors = { required: new Array<Reflector<unknown>>(), optional: new Array<AnyReflector>() };
  const watchedNamespaces = options.namespaces.length > 0 ? options.namespaces : [undefined];
  const watch = <Kept>(kind: WatchKind<Kept>, namespaces: readonly (string | undefined)[] = watchedNamespaces) => {
    const made = namespaces.map((namespace) => createReflector({ ...options, ...kind, namespace }));
    reflectors.required.push(...made);
    return joined(made);
  };
  const watchOptional = <Kept>(kind: WatchKind<Kept>) => {
    const made = watchedNamespaces.map((namespace) =>
      createOptionalReflector({ ...options, ...kind, namespace }, discovery),
    );
    reflectors.optional.push(...made);
    return joined(made);
  };
  const homeservers = watch({
    resource: KINDS.homeserver,
    keep: homeserverCopy,
    keysOf: ({ key }) => [key],
    termsOf: homeserverTerms,
  });
  discovery.onChange(() => {
    for (const { key } of homeservers.values()) options.onKey(key);
  });
  const secretNamespaces = watchedForSecrets(options.secretNamespaces, watchedNamespaces);
  const secrets = watch({ ...OWN_SECRETS, keysOf: ownerKeys }, secretNamespaces);
  const configMaps = watch({ ...OWN_CONFIG_MAPS, keysOf: ownerKeys, termsOf: ownerKeys }, secretNamespaces);
  const seesSecrets = (namespace: string) => secretNamespaces.some((one) => one === undefined || one === namespace);
  const theirs = watch({ ...USER_SECRETS, keysOf: (secret) => usersOf(secret, homeservers) }, secretNamespaces);
  const entries = watch({ ...SERVER_ENTRIES, keysOf: (entry) => usersOfServer(entry, homeservers) }, [
    options.operatorNamespace,
  ]);
  const caches = ownedCaches((kind, keep) => {
    const wanted = { resource: kind, keep, labelSelector: HOMESERVER_LABEL, keysOf: ownerKeys, termsOf: ownerKeys };
    return kind.optional ? watchOptional(wanted) : watch(wanted);
  });
  const markers = new Map<Resource, Cache<Marker>>([
    [KINDS.secret, joined([secrets, theirs, entries])],
    [KINDS.configMap, configMaps],
  ]);
  const versionOf: Caches['versionOf'] = (resource, name) =>
    markers.get(resource)?.get(objectKey(name))?.resourceVersion;
  const expect: Caches['expect'] = (...what) => expectIn([...reflectors.required, ...reflectors.optional], ...what);
  const terminating = watchNamespaces(options, homeservers);
  reflectors.optional.push(...terminating);
  const isTerminating = (namespace: string) => terminating.some((reflector) => reflector.get(namespace) !== undefined);
  return {
    caches: { homeservers, configMaps, ...caches, isTerminating, seesSecrets, versionOf, expect },
    reflectors,
  };
}

function expectIn(all: readonly AnyReflector[], ...[resource, name]: Parameters<Caches['expect']>) {
  const ends = all
    .filter((reflector) => reflector.resource === resource)
    .map((reflector) => ({ reflector, end: reflector.expect(name) }));
  return (written: KubeObject | undefined): void => {
    for (const { reflector, end } of ends) {
      if (written !== undefined) reflector.assume(written);
      end(written?.metadata.resourceVersion);
    }
  };
}

/** The namespaces that are being deleted. Not waited for at the start: without this right all else works. */
function watchNamespaces(options: CacheOptions, homeservers: Cache<HomeserverCopy>): Reflector<string>[] {
  if (options.namespaces.length > 0) return [];
  const reflector = createReflector({
    ...options,
    namespace: undefined,
    resource: KINDS.namespace,
    keep: ({ metadata }) => (metadata.deletionTimestamp === undefined ? undefined : metadata.name),
    keysOf: (name) =>
      homeservers
        .values()
        .filter(({ resource }) => resource?.metadata.namespace === name)
        .map(({ key }) => key),
  });
  return [reflector];
}

type WatchChildren = <Kept extends ChildCopy>(kind: OwnedKind, keep: (object: KubeObject) => Kept) => Cache<Kept>;

/** One cache a kind; those whose status matters keep more than the usual. */
function ownedCaches(
  watchChildren: WatchChildren,
): Omit<Caches, 'homeservers' | 'configMaps' | 'isTerminating' | 'seesSecrets' | 'versionOf' | 'expect'> {
  const deployments = watchChildren(OWNED_KINDS.deployment, deploymentCopy);
  const jobs = watchChildren(OWNED_KINDS.job, jobCopy);
  const claims = watchChildren(OWNED_KINDS.persistentVolumeClaim, claimCopy);
  const services = watchChildren(OWNED_KINDS.service, serviceCopy);
  const ingresses = watchChildren(OWNED_KINDS.ingress, ingressCopy);
  const httpRoutes = watchChildren(OWNED_KINDS.httpRoute, httpRouteCopy);
  const byKind = new Map<OwnedKind, Cache<ChildCopy>>([
    [OWNED_KINDS.deployment, deployments],
    [OWNED_KINDS.job, jobs],
    [OWNED_KINDS.persistentVolumeClaim, claims],
    [OWNED_KINDS.service, services],
    [OWNED_KINDS.ingress, ingresses],
    [OWNED_KINDS.httpRoute, httpRoutes],
  ]);
  const plain = Object.values(OWNED_KINDS).filter((kind) => !byKind.has(kind));
  for (const kind of plain) byKind.set(kind, watchChildren(kind, plainCopy));
  const owned = (kind: OwnedKind): Cache<ChildCopy> => {
    const cache = byKind.get(kind);
    if (cache === undefined) throw new TypeError(`${kind.kind} is not in the table of owned kinds`);
    return cache;
  };
  return { deployments, jobs, claims, services, ingresses, httpRoutes, owned };
}

type WatchKind<Kept> = Pick<ReflectorOptions<Kept>, 'resource' | 'keep' | 'keysOf' | 'termsOf' | 'labelSelector'>;

/** What is kept of Secrets and ConfigMaps: never their data. */
interface Marker {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
}

const marker = ({ metadata }: KubeObject): Marker => ({
  namespace: metadata.namespace,
  name: metadata.name,
  resourceVersion: metadata.resourceVersion,
  labels: metadata.labels ?? {},
});

/** What is kept of a configuration. */
export interface ConfigMapCopy extends Marker {
  readonly uid: string;
  readonly createdAt: string;
  readonly ownerUids: readonly string[];
}

/** Trims a configuration down to what pruning needs. */
export const configMapCopy = (object: KubeObject): ConfigMapCopy => ({
  ...marker(object),
  uid: object.metadata.uid,
  createdAt: object.metadata.creationTimestamp ?? '',
  ownerUids: (object.metadata.ownerReferences ?? []).map(({ uid }) => uid),
});

function homeserverTerms({ resource }: HomeserverCopy): string[] {
  if (resource === undefined) return [];
  const keys = (resource.status.signingKeys ?? []).flatMap(({ publicKey }) => publicKey ?? []);
  return [serverNameTerm(resource.spec.serverName), ...keys.map(publicKeyTerm)];
}

const OWN_SECRETS = { resource: KINDS.secret, keep: marker, labelSelector: HOMESERVER_LABEL };
const OWN_CONFIG_MAPS = { resource: KINDS.configMap, keep: configMapCopy, labelSelector: HOMESERVER_LABEL };
const USER_SECRETS = { resource: KINDS.secret, keep: marker, labelSelector: `${WATCH_LABEL}=true` };

const SERVER_ENTRIES = { resource: KINDS.secret, keep: marker, labelSelector: DATABASE_SERVER_LABEL };

function usersOfServer({ labels }: Marker, homeservers: Cache<HomeserverCopy>): string[] {
  const name = labels[DATABASE_SERVER_LABEL];
  return homeservers
    .values()
    .filter(({ resource }) => name !== undefined && resource?.spec.database.serverRef?.name === name)
    .map(({ key }) => key);
}

function usersOf(secret: Marker, homeservers: Cache<HomeserverCopy>): string[] {
  return homeservers
    .values()
    .filter(({ resource }) => resource?.metadata.namespace === secret.namespace)
    .filter(({ resource }) => resource !== undefined && referencedSecrets(resource).includes(secret.name))
    .map(({ key }) => key);
}

function joined<Kept>(reflectors: readonly Cache<Kept>[]): Cache<Kept> {
  return {
    get: (key) => {
      for (const reflector of reflectors) {
        const found = reflector.get(key);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    values: () => reflectors.flatMap((reflector) => reflector.values()),
    find: (term) => reflectors.flatMap((reflector) => reflector.find(term)),
  };
}
