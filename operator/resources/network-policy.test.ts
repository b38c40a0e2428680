import { expect, test } from 'vitest';
import { MediaSpec } from '../api/media-spec.ts';
import { NetworkPolicySpec } from '../api/network-spec.ts';
import { networkPolicy } from './network-policy.ts';

const owner = { name: 'chat', namespace: 'ns', uid: 'uid' };
const policy = (wanted: object) =>
  networkPolicy({ owner, wanted: NetworkPolicySpec.parse(wanted), databasePort: 5433, reachesServers: false });

test('without peers everybody reaches the API, pods of the cluster the metrics, and replicas without federation DNS and the database', () => {
  expect(policy({})?.['spec']).toMatchObject({
    ingress: [
      { ports: [{ protocol: 'TCP', port: 8008 }] },
      { from: [{ namespaceSelector: {} }], ports: [{ protocol: 'TCP', port: 9090 }] },
    ],
    egress: [{ ports: [{ port: 53 }, { port: 53 }, { port: 5353 }, { port: 5353 }] }, { ports: [{ port: 5433 }] }],
  });
  expect(JSON.stringify(policy({}))).toBe(JSON.stringify(policy({})));
});

test('an empty list of peers is nobody', () => {
  expect(policy({ metricsFrom: [], ingressFrom: [] })?.['spec']).toMatchObject({ ingress: [] });
});

test('peers and rules of the spec are used as they are, with the protocol that the API server would add', () => {
  const peer = { namespaceSelector: { matchLabels: { team: 'web' } } };
  const rule = { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 25 }] };
  expect(policy({ ingressFrom: [peer], extraEgress: [rule] })?.['spec']).toMatchObject({
    ingress: [{ from: [peer] }, {}],
    egress: [{}, {}, { to: rule.to, ports: [{ protocol: 'TCP', port: 25 }] }],
  });
});

const credentialsSecretRef = { name: 'media-s3' };
const buckets = [
  { name: 'at AWS', s3: { bucket: 'files', credentialsSecretRef }, ports: [5433, 443] },
  {
    name: 'elsewhere',
    s3: { bucket: 'files', endpoint: 'https://s3:9000', credentialsSecretRef },
    ports: [5433, 9000],
  },
  { name: 'without TLS', s3: { bucket: 'files', endpoint: 'http://s3', credentialsSecretRef }, ports: [5433, 80] },
  { name: 'by identity', s3: { bucket: 'files', endpoint: 'http://s3:5433' }, ports: [5433, 443] },
];

test.for(buckets)('replicas reach their bucket: $name', ({ s3, ports }) => {
  const media = MediaSpec.parse({ s3 });
  const wanted = NetworkPolicySpec.parse({});
  const closed = networkPolicy({ owner, wanted, databasePort: 5433, media, reachesServers: false });
  expect(closed?.['spec']).toMatchObject({ egress: [{}, { ports: ports.map((port) => ({ protocol: 'TCP', port })) }] });
});

test('Off makes none', () => {
  expect(policy({ mode: 'Off' })).toBeUndefined();
});

test('replicas that federate may reach every server, whatever its port', () => {
  const open = networkPolicy({ owner, wanted: NetworkPolicySpec.parse({}), databasePort: 5433, reachesServers: true });
  expect(open?.['spec']).toMatchObject({ egress: [{}, { ports: [{ protocol: 'TCP', port: 1, endPort: 65_535 }] }] });
});
