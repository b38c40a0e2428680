import { expect, test } from 'vitest';
import { DatabaseSpec } from '../api/database-spec.ts';
import { FederationSpec } from '../api/federation-spec.ts';
import type { ManagedTurn } from '../api/turn-spec.ts';
import { TurnSpec } from '../api/turn-spec.ts';
import { renderConfig } from './homeserver-config.ts';
import { turnSecret } from './secrets.ts';
import { NOT_PUBLIC_4, NOT_PUBLIC_6 } from './special-networks.ts';
import { turnConfig, turnUris } from './turn-config.ts';
import { turnNetworkPolicy } from './turn-network-policy.ts';
import { turnDeployment, turnService } from './turn-server.ts';

const owner = { name: 'chat', namespace: 'ns', uid: 'uid' };

function managed(more: object = {}): ManagedTurn {
  const parsed = TurnSpec.parse({ managed: { host: 'turn.example.org', ...more } }).managed;
  return parsed ?? expect.fail('it is managed');
}

const linesOf = (wanted: ManagedTurn) => turnConfig(wanted, 'north').split('\n');
const deploymentOf = (wanted: ManagedTurn, userIsGiven = false) =>
  turnDeployment({ owner, wanted, externalIP: '203.0.113.7', checksum: 'sum', userIsGiven });

test('credentials are by the shared secret only, relays are bounded, and nothing listens that is not needed', () => {
  const lines = linesOf(managed());
  expect(lines).toEqual(expect.arrayContaining(['use-auth-secret', 'static-auth-secret=north']));
  expect(lines).toEqual(
    expect.arrayContaining(['min-port=49160', 'max-port=49199', 'total-quota=40', 'user-quota=12']),
  );
  expect(lines).toEqual(expect.arrayContaining(['no-tls', 'no-dtls', 'no-tcp-relay', 'no-cli', 'no-multicast-peers']));
  expect(lines.filter((line) => /^(lt-cred-mech|no-auth|user=|allow-loopback-peers)/.test(line))).toEqual([]);
});

test('private and special networks of both families are refused, but for what the spec allows', () => {
  const lines = linesOf(managed({ allowedPeers: ['10.1.0.0/16'], deniedPeers: ['11.0.0.0/8'] }));
  for (const range of ['10.0.0.0-10.255.255.255', '169.254.0.0-169.254.255.255', '11.0.0.0-11.255.255.255']) {
    expect(lines).toContain(`denied-peer-ip=${range}`);
  }
  expect(lines).toContain('denied-peer-ip=8000:0:0:0:0:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  expect(lines).toContain('allowed-peer-ip=10.1.0.0-10.1.255.255');
});

test('a certificate adds turns:, the port of it and its files', () => {
  const wanted = managed({ tlsSecretName: 'turn-tls' });
  expect(turnUris({ managed: wanted })).toEqual([
    'turn:turn.example.org:3478?transport=udp',
    'turn:turn.example.org:3478?transport=tcp',
    'turns:turn.example.org:5349?transport=tcp',
  ]);
  expect(linesOf(wanted)).toEqual(
    expect.arrayContaining(['tls-listening-port=5349', 'cert=/etc/turnserver/tls/tls.crt']),
  );
  expect(linesOf(wanted)).not.toContain('no-tls');
  const pods = JSON.stringify(deploymentOf(wanted));
  expect(pods).toContain('"secretName":"turn-tls"');
  expect(JSON.stringify(turnService(owner, wanted))).toContain('"name":"turns-tcp"');
  expect(JSON.stringify(turnNetworkPolicy(owner, wanted, 'Managed'))).toContain('5349');
  expect(JSON.stringify(turnService(owner, managed()))).not.toContain('5349');
});

test('the Service has every port of relays once, keeps the addresses of senders, and carries its annotations', () => {
  const wanted = managed({ relayPorts: { min: 20_000, max: 20_002 }, serviceAnnotations: { pool: 'public' } });
  const service = turnService(owner, wanted);
  expect(service).toMatchObject({
    metadata: { name: 'chat-turn', annotations: { pool: 'public' } },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      selector: { 'matrix-operator.dev/homeserver': 'chat', 'app.kubernetes.io/component': 'turn' },
    },
  });
  const spec: unknown = service['spec'];
  expect(spec).toHaveProperty(
    'ports',
    [
      ['turn-udp', 'UDP', 3478],
      ['turn-tcp', 'TCP', 3478],
      ['relay-20000', 'UDP', 20_000],
      ['relay-20001', 'UDP', 20_001],
      ['relay-20002', 'UDP', 20_002],
    ].map(([name, protocol, port]) => ({ name, protocol, port, targetPort: port })),
  );
});

test('the pod keeps to the restricted Pod Security standard; the secret is in a file and never an argument', () => {
  const text = JSON.stringify(deploymentOf(managed()));
  expect(text).toContain('"runAsNonRoot":true');
  expect(text).toContain('"runAsUser":65534');
  expect(text).toContain('"readOnlyRootFilesystem":true');
  // The one capability that the standard lets a container add: the image's program file cannot be started without.
  expect(text).toContain('"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}');
  expect(text).toContain('"allowPrivilegeEscalation":false');
  expect(text).toContain('"--external-ip=203.0.113.7/$(POD_IP)"');
  expect(text).not.toContain('auth-secret');
  expect(text).toContain('"type":"Recreate"');
  expect(JSON.stringify(deploymentOf(managed(), true))).not.toContain('runAsUser');
});

test('the image is pinned; a version or a whole image of the spec is used, and its size', () => {
  expect(JSON.stringify(deploymentOf(managed()))).toMatch(/"docker.io\/coturn\/coturn:[0-9]+\.[0-9]+\.[0-9]+-r[0-9]+"/);
  expect(JSON.stringify(deploymentOf(managed({ version: '4.6.2' })))).toContain('coturn:4.6.2"');
  const own = managed({ image: 'registry.example.org/coturn:1', resources: { limits: { memory: '1024Mi' } } });
  expect(JSON.stringify(deploymentOf(own))).toContain('"image":"registry.example.org/coturn:1"');
  expect(JSON.stringify(deploymentOf(own))).toContain('"limits":{"memory":"1Gi"}');
});

test('the NetworkPolicy lets nobody into the cluster through the relay, whatever coturn thinks', () => {
  const wanted = managed({
    allowedPeers: ['10.1.0.0/16'],
    deniedPeers: ['11.0.0.0/8', '2a00::/16', 'fd00::/8', '::/0'],
  });
  const policy = turnNetworkPolicy(owner, wanted, 'Managed');
  expect(policy?.['spec']).toMatchObject({
    ingress: [{ ports: [{ port: 3478 }, { port: 3478 }, { protocol: 'UDP', port: 49_160, endPort: 49_199 }] }],
    egress: [
      { to: [{}, {}, { ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ protocol: 'UDP', port: 1, endPort: 65_535 }] },
    ],
  });
  expect(policy?.['spec']).toHaveProperty('egress[0].to[0].ipBlock.except', [...NOT_PUBLIC_4, '11.0.0.0/8']);
  expect(policy?.['spec']).toHaveProperty('egress[0].to[1].ipBlock.except', [...NOT_PUBLIC_6, '2a00::/16']);
  // Outside of the network that they would be an exception of.
  expect(JSON.stringify(policy)).not.toContain('fd00::/8');
  expect(JSON.stringify(policy)).not.toContain('::/0"');
  expect(turnNetworkPolicy(owner, wanted, 'Off')).toBeUndefined();
});

test('the replicas are told its URIs, and where its secret is mounted', () => {
  const rendered = renderConfig({
    serverName: 'example.org',
    database: DatabaseSpec.parse({ existing: { secretRef: { name: 'x' } } }),
    integrations: { turn: { managed: managed() } },
    federation: FederationSpec.parse({}),
  });
  expect(rendered.ok && JSON.parse(rendered.yaml)).toMatchObject({
    turn: { uris: turnUris({ managed: managed() }), secretFile: '/etc/homeserver/turn/secret' },
  });
});

test('the Secret goes away with the resource', () => {
  const made = turnSecret(owner, { secret: 'north' });
  expect(made.metadata).toMatchObject({ name: 'chat-turn', ownerReferences: [{ uid: 'uid' }] });
  expect(made['data']).toEqual({ secret: 'bm9ydGg=' });
});
