import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { TurnSpec } from '../../operator/api/turn-spec.ts';
import { TURN_FILES, turnArguments, turnConfig, turnUris } from '../../operator/resources/turn-config.ts';
import { type ServerProcess, startServer } from '../cluster/child-process.ts';
import { debianLibraries, debianProgram } from '../cluster/debian-program.ts';
import { tryCommand } from '../cluster/run-command.ts';
import { freePort } from '../support/embedded-postgres.ts';
import { type TestHomeserver, startHomeserver } from '../support/homeserver.ts';
import { selfSignedIdentity } from '../support/self-signed.ts';
import { waitFor } from '../support/wait-for.ts';

/** What clients would be told; nobody here has it. */
const PUBLIC = '203.0.113.10';
const SECRET = 'north';
// Outside of the ports that systems hand out by themselves.
const wanted = { host: 'turn.example.org', relayPorts: { min: 20_100, max: 20_199 }, tlsSecretName: 'turn-tls' };

let folder: string;
let server: TestHomeserver;
let coturn: ServerProcess;
let port: number;
let tlsPort: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-turn-'));
  [port, tlsPort] = [await freePort(), await freePort()];
  coturn = await startCoturn();
  server = await startServerWith(turnUris(TurnSpec.parse({ managed: wanted })) ?? []);
});
afterAll(async () => {
  await coturn.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** coturn as in the pod, with what this machine has in the place of ports, folders and the address of the pod. */
async function startCoturn(): Promise<ServerProcess> {
  const { managed } = TurnSpec.parse({ managed: wanted });
  const [config, tls, state] = ['config', 'tls', 'state'].map((name) => join(folder, name));
  if (managed === undefined || config === undefined || tls === undefined || state === undefined) expect.fail('managed');
  for (const path of [config, tls, state]) await mkdir(path);
  const { cert, key } = await selfSignedIdentity(join(folder, 'identity'), wanted.host);
  await writeFile(join(tls, 'tls.crt'), cert);
  await writeFile(join(tls, 'tls.key'), key);
  const here = (text: string) =>
    text
      .replaceAll(`=${TURN_FILES.state}/`, `=${state}/`)
      .replaceAll(TURN_FILES.config, config)
      .replaceAll(TURN_FILES.tls, tls)
      .replaceAll('$(POD_IP)', ownAddress())
      .replace(/^listening-port=.*/m, `listening-port=${port}`)
      .replace(/^tls-listening-port=.*/m, `tls-listening-port=${tlsPort}`);
  await writeFile(join(config, 'turnserver.conf'), here(turnConfig(managed, SECRET)));
  const program = await debianProgram('turnserver', 'coturn');
  const libraries = await debianLibraries('coturn');
  const started = await startServer(program, turnArguments(PUBLIC).map(here), join(folder, 'log'), libraries);
  await waitFor(() => accepts(port), { what: 'coturn to listen' });
  return started;
}

/** Never loopback: coturn relays to none of that, whatever it is told. */
function ownAddress(): string {
  const found = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  return (
    found.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? expect.fail('no IPv4 address')
  );
}

function accepts(at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: ownAddress(), port: at });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function startServerWith(uris: string[]): Promise<TestHomeserver> {
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, SECRET);
  return startHomeserver({ config: { turn: { uris, secretFile } } });
}

type Given = z.infer<typeof Given>;
const Given = z.object({ username: z.string(), password: z.string(), uris: z.array(z.string()) });

/** What the homeserver gives a new user: relays that nobody ends stay for minutes, and each user may have some only. */
async function credentials() {
  const { token } = await server.register();
  return Given.parse((await server.request('GET', '/_matrix/client/v3/voip/turnServer', { token })).body);
}

/** coturn's own client: what it says, in both streams. */
async function client(flags: string[], by: Pick<Given, 'username' | 'password'>, at = port): Promise<string> {
  const program = await debianProgram('turnutils_uclient', 'coturn');
  const words = [...flags, '-c', '-n', '5', '-p', String(at), '-u', by.username, '-w', by.password, ownAddress()];
  const { stdout, stderr } = await tryCommand(program, words, { env: await debianLibraries('coturn') });
  return `${stdout}${stderr}`;
}

test.concurrent('two clients with the credentials of the homeserver speak through a relay each', async () => {
  const said = await client(['-y'], await credentials());
  // The first ones may come before the other client has asked for them.
  expect(said).toMatch(/tot_send_msgs=10, tot_recv_msgs=([1-9]|10)\n/);
});

test.concurrent.for([
  { by: 'TCP', flags: ['-t'], tls: false },
  { by: 'TLS', flags: ['-t', '-S'], tls: true },
])('a client that comes by $by reaches its peer over UDP, from a port of the relays', async ({ flags, tls }) => {
  const peer = await startPeer();
  const said = await client(
    ['-e', ownAddress(), '-r', String(peer.port), ...flags],
    await credentials(),
    tls ? tlsPort : port,
  );
  peer.close();
  expect(said).toContain('tot_send_msgs=5, tot_recv_msgs=5');
  const { min, max } = wanted.relayPorts;
  expect([...peer.from].every((from) => from >= min && from <= max)).toBe(true);
});

/** Gives back what it gets. On the address of coturn, the only one here that is no other private one. */
async function startPeer() {
  const socket = createSocket('udp4');
  const from = new Set<number>();
  socket.on('message', (message, sender) => {
    from.add(sender.port);
    socket.send(message, sender.port, sender.address);
  });
  socket.bind(0, ownAddress());
  await once(socket, 'listening');
  return { port: socket.address().port, from, close: () => socket.close() };
}

test('no relay for a wrong password, for credentials that have ended, or for those of another secret', async () => {
  const given = await credentials();
  const ended = `${Math.floor(Date.now() / 1000) - 10}:@alice:example.org`;
  const sign = (secret: string, name: string) => createHmac('sha1', secret).update(name).digest('base64');
  const wrong = [
    { ...given, password: 'south' },
    { username: ended, password: sign(SECRET, ended) },
    { ...given, password: sign('south', given.username) },
  ];
  for (const by of wrong) expect(await client(['-y'], by)).toContain('Cannot complete Allocation');
});

test.for(['10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '127.0.0.1', '100.64.0.1', '0.0.0.1'])(
  'nobody gets to %s through the relay',
  async (peer) => {
    expect(await client(['-e', peer], await credentials())).toContain('403 (Forbidden IP)');
  },
);

test('a user gets twelve relays and no more; others still get theirs', async () => {
  const [one, other] = [await credentials(), await credentials()];
  expect(await client(['-y', '-m', '14'], one)).toContain('486 (Allocation Quota Reached)');
  expect(await client(['-e', '10.1.2.3'], other)).toContain('403 (Forbidden IP)');
});
