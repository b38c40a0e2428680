import { MOUNTS } from '../../homeserver/contract/layout.ts';
import type { ContainerResources, PodSpec } from '../api/pod-spec.ts';
import { canonicalQuantity } from './canonical-quantity.ts';

/** Where the pods of one resource find their files. */
export interface PodFiles {
  readonly configMap: string;
  readonly databaseSecret: string;
  /** Authorities for TLS to PostgreSQL. */
  readonly authority?: { readonly secret: string; readonly key: string } | undefined;
  readonly appSecret: string;
  readonly keyringSecret: string;
  /** Secrets of users that the configuration points at. */
  readonly extraSecrets?: readonly string[] | undefined;
  /** Secret shared with the TURN server. */
  readonly turnSecret?: { readonly secret: string; readonly key: string } | undefined;
  /** Claim with the uploaded files. */
  readonly mediaClaim?: string | undefined;
  /** Secret with the credentials of the bucket for uploaded files. */
  readonly mediaCredentials?: string | undefined;
}

export interface PodImage {
  readonly reference: string;
  readonly pullPolicy: string;
  readonly pullSecrets: readonly string[];
}

const DATABASE_KEYS = ['host', 'port', 'dbname', 'username', 'password'];

const DEFAULT_RESOURCES = { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } };

/** The only security settings that pods of ours have: the restricted Pod Security standard. */
export const POD_SECURITY = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };

export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
};

/** Volumes of every pod that opens the database. */
export function volumes(files: PodFiles) {
  return [
    ...databaseVolumes(files),
    { name: 'app', secret: { secretName: files.appSecret } },
    { name: 'keyring', secret: { secretName: files.keyringSecret } },
  ];
}

/** Those of them that are there before the first signing key. */
export function databaseVolumes(files: Omit<PodFiles, 'appSecret' | 'keyringSecret'>) {
  const authority =
    files.authority === undefined
      ? []
      : [{ secret: { name: files.authority.secret, items: [{ key: files.authority.key, path: 'ca.crt' }] } }];
  const credentials = {
    secret: { name: files.databaseSecret, items: DATABASE_KEYS.map((key) => ({ key, path: key })) },
  };
  return [
    { name: 'config', configMap: { name: files.configMap } },
    { name: 'db', projected: { sources: [credentials, ...authority] } },
    { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
  ];
}

export const DATABASE_MOUNTS = [
  { name: 'config', mountPath: MOUNTS.config, readOnly: true },
  { name: 'db', mountPath: MOUNTS.database, readOnly: true },
  { name: 'tmp', mountPath: '/tmp' },
];

export const VOLUME_MOUNTS = [
  ...DATABASE_MOUNTS,
  { name: 'app', mountPath: MOUNTS.app, readOnly: true },
  { name: 'keyring', mountPath: MOUNTS.keyring, readOnly: true },
];

/** Volumes that only serving pods have, with where they are mounted. */
export function servingVolumes(files: PodFiles) {
  return [...extraVolumes(files), ...turnVolume(files), ...mediaVolume(files), ...mediaCredentialsVolume(files)];
}

function extraVolumes({ extraSecrets = [] }: PodFiles) {
  return extraSecrets.map((secretName, index) => ({
    volume: { name: `extra-${index}`, secret: { secretName } },
    mount: { name: `extra-${index}`, mountPath: `${MOUNTS.extra}/${secretName}`, readOnly: true },
  }));
}

function turnVolume({ turnSecret }: PodFiles) {
  if (turnSecret === undefined) return [];
  const secret = { secretName: turnSecret.secret, items: [{ key: turnSecret.key, path: 'secret' }] };
  return [{ volume: { name: 'turn', secret }, mount: { name: 'turn', mountPath: MOUNTS.turn, readOnly: true } }];
}

function mediaVolume({ mediaClaim }: PodFiles) {
  if (mediaClaim === undefined) return [];
  const volume = { name: 'media', persistentVolumeClaim: { claimName: mediaClaim } };
  return [{ volume, mount: { name: 'media', mountPath: MOUNTS.media } }];
}

function mediaCredentialsVolume({ mediaCredentials }: PodFiles) {
  if (mediaCredentials === undefined) return [];
  const volume = { name: 'media-s3', secret: { secretName: mediaCredentials } };
  return [{ volume, mount: { name: 'media-s3', mountPath: MOUNTS.mediaCredentials, readOnly: true } }];
}

/** Requests and limits of the container, from the spec or ours. */
export function containerResources(pod: PodSpec | undefined) {
  return canonicalResources(pod?.resources ?? DEFAULT_RESOURCES);
}

/** As the API server gives them back. */
export function canonicalResources({ requests, limits }: ContainerResources) {
  return withoutUndefined({ requests: canonical(requests), limits: canonical(limits) });
}

function canonical(quantities: Readonly<Record<string, string | number>> | undefined) {
  if (quantities === undefined) return undefined;
  const entries = Object.entries(quantities).map(([name, quantity]): [string, string] => [
    name,
    canonicalQuantity(quantity),
  ]);
  return Object.fromEntries(entries);
}

/** Fields of a pod spec that decide where it runs; absent members stay absent. */
export function placement(pod: PodSpec | undefined) {
  return withoutUndefined({
    nodeSelector: pod?.nodeSelector,
    tolerations: pod?.tolerations,
    affinity: pod?.affinity,
    priorityClassName: pod?.priorityClassName,
  });
}

/** What the spec says of annotations. The API server drops empty ones, which would look like a change each time. */
export function podAnnotations(pod: PodSpec | undefined) {
  const { annotations = {} } = pod ?? {};
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

/** Fields of a pod spec that are the same for replicas and Jobs. */
export function podBasics(image: PodImage, serviceAccount: string) {
  return {
    serviceAccountName: serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: POD_SECURITY,
    ...(image.pullSecrets.length > 0 ? { imagePullSecrets: image.pullSecrets.map((name) => ({ name })) } : {}),
  };
}

function withoutUndefined<T extends object>(fields: T): Partial<T> {
  const kept: Partial<T> = { ...fields };
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) Reflect.deleteProperty(kept, key);
  }
  return kept;
}
