import type { ManagedTurn } from '../api/turn-spec.ts';
import { COTURN_VERSION } from '../api/turn-spec.ts';
import { HOMESERVER_LABEL, ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';
import { CONTAINER_SECURITY, POD_SECURITY, canonicalResources } from './pod-template.ts';
import { TURNS_PORT, TURN_CONFIG_KEY, TURN_FILES, TURN_PORT, turnArguments } from './turn-config.ts';

/** `nobody`, the user of the image; its name alone does not convince a node that it is not root. */
const COTURN_USER = 65_534;
const DEFAULT_RESOURCES = { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } };

/** Labels that select the pod; never change them: a Deployment's selector is immutable. */
export function turnSelector(name: string): Record<string, string> {
  return { [HOMESERVER_LABEL]: name, 'app.kubernetes.io/component': 'turn' };
}

/** Metadata of everything that belongs to the TURN server. */
export function turnMetadata(owner: Owner) {
  const base = ownedMetadata(owner, childNames(owner.name).turn);
  return { ...base, labels: { ...base.labels, ...turnSelector(owner.name) } };
}

/**
 * Where the world reaches it. Local: only then does coturn see who sends, and it relays by the sender's address; with the usual
 * policy each packet would come from a node.
 */
export function turnService(owner: Owner, wanted: ManagedTurn): Manifest {
  const metadata = turnMetadata(owner);
  const { serviceAnnotations: annotations = {}, relayPorts, tlsSecretName } = wanted;
  const count = relayPorts.max - relayPorts.min + 1;
  const relays = Array.from({ length: count }, (_, index) => relayPorts.min + index);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      selector: turnSelector(owner.name),
      ports: [
        servicePort('turn-udp', 'UDP', TURN_PORT),
        servicePort('turn-tcp', 'TCP', TURN_PORT),
        ...(tlsSecretName === undefined ? [] : [servicePort('turns-tcp', 'TCP', TURNS_PORT)]),
        ...relays.map((port) => servicePort(`relay-${port}`, 'UDP', port)),
      ],
    },
  };
}

function servicePort(name: string, protocol: 'TCP' | 'UDP', port: number) {
  return { name, port, targetPort: port, protocol };
}

export interface TurnDeploymentInput {
  readonly owner: Owner;
  readonly wanted: ManagedTurn;
  /** Address at which clients reach the Service. */
  readonly externalIP: string;
  /** Digest of configuration and certificate: a change rolls the pod. */
  readonly checksum: string;
  /** Whether the platform chooses the user of pods. */
  readonly userIsGiven: boolean;
}

/** One pod: the ports of relays are behind one Service, which would send packets to either of two. */
export function turnDeployment(input: TurnDeploymentInput): Manifest {
  const { owner, checksum } = input;
  const metadata = turnMetadata(owner);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 1,
      revisionHistoryLimit: 3,
      selector: { matchLabels: turnSelector(owner.name) },
      strategy: { type: 'Recreate' },
      template: {
        metadata: { labels: metadata.labels, annotations: { 'matrix-operator.dev/config-checksum': checksum } },
        spec: podSpec(input, metadata.name),
      },
    },
  };
}

function podSpec({ wanted, userIsGiven, externalIP }: TurnDeploymentInput, secretName: string) {
  const { tlsSecretName } = wanted;
  const config = { name: 'config', mountPath: TURN_FILES.config, readOnly: true };
  const tls = { name: 'tls', mountPath: TURN_FILES.tls, readOnly: true };
  const hasTls = tlsSecretName !== undefined;
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: userIsGiven ? POD_SECURITY : { ...POD_SECURITY, runAsUser: COTURN_USER },
    containers: [
      {
        ...container(wanted, externalIP),
        volumeMounts: [config, ...(hasTls ? [tls] : []), { name: 'tmp', mountPath: TURN_FILES.state }],
      },
    ],
    volumes: [
      { name: 'config', secret: { secretName, items: [{ key: TURN_CONFIG_KEY, path: TURN_CONFIG_KEY }] } },
      ...(hasTls ? [{ name: 'tls', secret: { secretName: tlsSecretName, items: TLS_ITEMS } }] : []),
      { name: 'tmp', emptyDir: { sizeLimit: '16Mi' } },
    ],
  };
}

const TLS_ITEMS = ['tls.crt', 'tls.key'].map((key) => ({ key, path: key }));

function container({ image, version, resources, tlsSecretName }: ManagedTurn, externalIP: string) {
  const probe = { tcpSocket: { port: 'turn-tcp' } };
  return {
    name: 'turn',
    image: image ?? `docker.io/coturn/coturn:${version ?? COTURN_VERSION}`,
    imagePullPolicy: 'IfNotPresent',
    command: ['turnserver', ...turnArguments(externalIP)],
    env: [{ name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } }],
    ports: [
      { name: 'turn-udp', containerPort: TURN_PORT, protocol: 'UDP' },
      { name: 'turn-tcp', containerPort: TURN_PORT, protocol: 'TCP' },
      ...(tlsSecretName === undefined ? [] : [{ name: 'turns-tcp', containerPort: TURNS_PORT, protocol: 'TCP' }]),
    ],
    resources: canonicalResources(resources ?? DEFAULT_RESOURCES),
    securityContext: COTURN_SECURITY,
    readinessProbe: { ...probe, periodSeconds: 5 },
    livenessProbe: { ...probe, periodSeconds: 20, failureThreshold: 6 },
  };
}

/**
 * The image's program file carries this capability, and the kernel does not start it where it could never be had. The process
 * does not get it: it is not root, and may gain nothing. The restricted Pod Security standard allows this one.
 */
const COTURN_SECURITY = { ...CONTAINER_SECURITY, capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } };
