import { PORTS } from '../../homeserver/contract/layout.ts';
import type { MediaSpec } from '../api/media-spec.ts';
import type { NetworkPolicySpec } from '../api/network-spec.ts';
import { ownedMetadata, podSelector } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

export interface NetworkPolicyInput {
  readonly owner: Owner;
  readonly wanted: NetworkPolicySpec;
  readonly databasePort: number;
  readonly media?: MediaSpec | undefined;
  /** Other servers listen on ports of their own choice. */
  readonly reachesServers: boolean;
}

/** 5353: where the DNS pods of some distributions listen behind port 53 of their Service. */
const DNS_PORTS = [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port })));

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

const ANY_TCP_PORT = { ...tcp(1), endPort: 65_535 };

/** What may reach the replicas and what they may reach; undefined when that is somebody else's job. */
export function networkPolicy({
  owner,
  wanted,
  databasePort,
  media,
  reachesServers,
}: NetworkPolicyInput): Manifest | undefined {
  if (wanted.mode === 'Off') return undefined;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedMetadata(owner, childNames(owner.name).networkPolicy),
    spec: {
      podSelector: { matchLabels: podSelector(owner.name) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        ...ingressRule(PORTS.http, wanted.ingressFrom),
        ...ingressRule(PORTS.metrics, wanted.metricsFrom ?? [{ namespaceSelector: {} }]),
      ],
      egress: [
        { ports: DNS_PORTS },
        { ports: reachesServers ? [ANY_TCP_PORT] : distinct([databasePort, ...bucketPorts(media)]).map(tcp) },
        ...(wanted.extraEgress ?? []).map(withProtocols),
      ],
    },
  };
}

/** Of the bucket and, where pods prove who they are by their service account, of the service that gives them credentials. */
function bucketPorts(media: MediaSpec | undefined): number[] {
  const s3 = media?.s3;
  if (s3 === undefined) return [];
  const { port, protocol } = new URL(s3.endpoint ?? 'https://s3');
  const usual = protocol === 'https:' ? HTTPS_PORT : HTTP_PORT;
  return [port === '' ? usual : Number(port), ...(s3.credentialsSecretRef === undefined ? [HTTPS_PORT] : [])];
}

function distinct(ports: readonly number[]): number[] {
  return [...new Set(ports)];
}

type Peers = NetworkPolicySpec['ingressFrom'];

/** No peers named: everybody; an empty list: nobody. */
function ingressRule(port: number, from: Peers) {
  if (from === undefined) return [{ ports: [tcp(port)] }];
  return from.length === 0 ? [] : [{ from, ports: [tcp(port)] }];
}

function tcp(port: number) {
  return { protocol: 'TCP', port };
}

/** The API server writes the protocol where it is missing; written here, an unchanged rule is no difference. */
function withProtocols(rule: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { ports } = rule;
  if (!Array.isArray(ports)) return rule;
  return { ...rule, ports: ports.map((port: unknown) => (isObject(port) ? { protocol: 'TCP', ...port } : port)) };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
