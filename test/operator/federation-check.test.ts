import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { OwnKey } from '../../operator/federation-check/finding.ts';
import { outsideOf } from '../../operator/federation-check/finding.ts';
import type { LookSettings } from '../../operator/federation-check/look.ts';
import { createLook } from '../../operator/federation-check/look.ts';
import type { Handler, MatrixWorld, WorldServer } from './support/matrix-world.ts';
import { json, keyDocument, openWorld, paths, testKey } from './support/matrix-world.ts';

const NAME = 'chat.example';
const [ours, theirs] = [testKey('ours', 1), testKey('theirs', 2)];
const own: OwnKey[] = [{ keyId: ours.keyId, publicKey: ours.publicKeyBase64, isActive: true }];
const KEYS = '/_matrix/key/v2/server';
const WELL_KNOWN = '/.well-known/matrix/server';
const LOOPBACK = ['127.0.0.1'];

let world: MatrixWorld;
/** Answers for every name at 443 and at 8448. */
let web: WorldServer;
let matrix: WorldServer;

beforeAll(async () => {
  world = await openWorld();
  web = await world.serve(NAME, json({}, 404));
  matrix = await world.serve(NAME, json({}, 404));
});
afterAll(() => world.close());
beforeEach(() => {
  world.hosts.set(NAME, LOOPBACK);
  web.handle = json({}, 404);
  matrix.handle = paths({ [KEYS]: json(keyDocument(NAME, [ours])) });
});
afterEach(() => {
  world.hosts.clear();
  world.services.clear();
  world.asked.length = 0;
  web.requests.length = 0;
  matrix.requests.length = 0;
});

function settings(more: Partial<LookSettings> = {}): LookSettings {
  return {
    allowCidrs: ['127.0.0.0/8'],
    userAgent: 'test',
    ca: `${web.cert}${matrix.cert}`,
    ports: { https: web.port, federation: matrix.port },
    dns: world.dns,
    ...more,
  };
}

function look(serverName = NAME, more: Partial<LookSettings> = {}, notaries: readonly string[] = []) {
  return createLook(settings(more), Date.now)({ serverName, notaries, keys: own, revision: '' });
}

const seen = [{ keyId: ours.keyId, publicKey: ours.publicKeyBase64 }];
const match = { kind: 'KeysMatch', vantage: 'Direct', seen };
const delegate = (to: string) => paths({ [WELL_KNOWN]: json({ 'm.server': to }) });

test('without a well-known document the name itself is asked at 8448', async () => {
  expect(await look()).toEqual(match);
  expect(matrix.requests).toEqual([`GET ${NAME} ${KEYS} ${NAME}`]);
});

test('an address with a port is asked without DNS and without SNI, and the certificate must be for the address', async () => {
  const name = `127.0.0.1:${matrix.port}`;
  matrix.handle = json(keyDocument(name, [ours]));
  expect(await look(name)).toEqual(match);
  expect([matrix.requests, world.asked]).toEqual([[`GET ${name} ${KEYS} -`], []]);
});

test('a name with a port is asked there, with the port in Host', async () => {
  const name = `${NAME}:${matrix.port}`;
  matrix.handle = json(keyDocument(name, [ours]));
  expect(await look(name)).toEqual(match);
  expect([matrix.requests, web.requests]).toEqual([[`GET ${name} ${KEYS} ${NAME}`], []]);
});

test('a well-known document is obeyed, also behind redirects, and the certificate must be for the delegated name', async () => {
  const host = await world.serve('matrix.chat.example', json(keyDocument(NAME, [ours])));
  const delegated = `matrix.chat.example:${host.port}`;
  world.hosts.set('matrix.chat.example', LOOPBACK);
  web.handle = paths({
    [WELL_KNOWN]: (_request, response) => response.writeHead(302, { location: '/moved' }).end(),
    '/moved': (_request, response) =>
      response.writeHead(307, { location: `https://${NAME}:${web.port}/at-last` }).end(),
    '/at-last': json({ 'm.server': delegated }),
  });
  const ca = `${web.cert}${host.cert}`;
  expect(await look(NAME, { ca })).toEqual({ ...match, delegatedTo: delegated });
  expect(host.requests).toEqual([`GET ${delegated} ${KEYS} matrix.chat.example`]);
  const other = await world.serve('other.example', json(keyDocument(NAME, [ours])));
  web.handle = delegate(`matrix.chat.example:${other.port}`);
  expect(await look(NAME, { ca: `${ca}${other.cert}` })).toMatchObject({ kind: 'TLSInvalid' });
});

test('SRV records lead on, the new label before the old one; Host and certificate stay those of the name', async () => {
  const node = await world.serve(NAME, json(keyDocument(NAME, [ours])));
  world.hosts.set('node.example', LOOPBACK);
  const record = { name: 'node.example', port: node.port, priority: 0, weight: 0 };
  world.services.set(`_matrix._tcp.${NAME}`, [record]);
  expect(await look(NAME, { ca: `${web.cert}${node.cert}` })).toEqual(match);
  expect(node.requests).toEqual([`GET ${NAME} ${KEYS} ${NAME}`]);
  expect(world.asked).toEqual([NAME, `_matrix-fed._tcp.${NAME}`, `_matrix._tcp.${NAME}`, 'node.example']);
  world.services.set(`_matrix-fed._tcp.${NAME}`, [{ ...record, port: matrix.port }]);
  expect(await look()).toEqual(match);
  expect(matrix.requests).toHaveLength(1);
});

test.for<{ name: string; handle: Handler }>([
  { name: 'is no JSON', handle: (_request, response) => response.end('<html>') },
  { name: 'names no server', handle: json({ 'm.server': 'https://x' }) },
  { name: 'is a server fault', handle: json({ 'm.server': 'elsewhere.example:1' }, 500) },
  {
    name: 'leads to plain HTTP',
    handle: (_request, response) => response.writeHead(302, { location: 'http://x/' }).end(),
  },
  {
    name: 'is longer than 64 KiB',
    handle: (_request, response) => response.end(' '.repeat(70_000) + '{"m.server":"elsewhere.example:1"}'),
  },
  { name: 'is cut off', handle: (_request, response) => response.write('{"m.s', () => response.destroy()) },
])('a well-known document that $name counts as none', async ({ handle }) => {
  web.handle = handle;
  expect(await look()).toEqual(match);
});

test('redirects end after five', async () => {
  web.handle = (request, response) => response.writeHead(302, { location: `${request.url}x` }).end();
  expect(await look()).toEqual(match);
  expect(web.requests).toHaveLength(6);
});

test('an address that is not public is not connected to, wherever it comes from', async () => {
  const refused = { kind: 'PrivateAddress', vantage: 'Direct' };
  expect(await look(NAME, { allowCidrs: [] })).toEqual(refused);
  expect(await look(`127.0.0.1:${matrix.port}`, { allowCidrs: [] })).toEqual(refused);
  world.hosts.set(NAME, ['10.0.0.1', '169.254.169.254', '::ffff:127.0.0.2', '64:ff9b::7f00:1']);
  expect(await look()).toEqual(refused);
  expect([...web.requests, ...matrix.requests]).toEqual([]);
});

test.for([
  {
    name: 'a redirect to a private address',
    handle: ((_request, response) =>
      response.writeHead(302, { location: 'https://10.0.0.1/' }).end()) satisfies Handler,
  },
  {
    name: 'a redirect to a name with a private address',
    handle: ((_request, response) =>
      response.writeHead(302, { location: 'https://inside.example/' }).end()) satisfies Handler,
  },
  { name: 'a delegation to a private address', handle: delegate('[fd00::1]:8448') },
  { name: 'a delegation to a name with a private address', handle: delegate('inside.example') },
])('$name is not followed, and nothing of it is told but its class', async ({ handle }) => {
  world.hosts.set('inside.example', ['192.168.0.1']);
  web.handle = handle;
  const finding = await look();
  expect(finding).toMatchObject({ kind: 'PrivateAddress', vantage: 'Direct' });
  expect(JSON.stringify(finding)).not.toContain('192.168');
  expect(matrix.requests).toEqual([]);
});

test('each connection goes to the address that was checked: a name is resolved once a request', async () => {
  const answers = [LOOPBACK, LOOPBACK, ['10.0.0.1']];
  const dns = () => ({ ...world.dns(), addresses: () => Promise.resolve(answers.shift() ?? []) });
  expect(await look(NAME, { dns })).toEqual(match);
  expect(answers).toEqual([['10.0.0.1']]);
});

test.for<{ name: string; handle: Handler; wanted: object }>([
  {
    name: 'a longer answer than 64 KiB',
    handle: (_request, response) => response.end('x'.repeat(70_000)),
    wanted: { kind: 'TooLarge' },
  },
  { name: 'an answer without end', handle: (_request, response) => drip(response, 1), wanted: { kind: 'Timeout' } },
  { name: 'no answer', handle: () => undefined, wanted: { kind: 'Timeout' } },
  { name: 'a refusal', handle: json({}, 403), wanted: { kind: 'BadStatus' } },
  {
    name: 'a redirect',
    handle: (_request, response) => response.writeHead(302, { location: '/x' }).end(),
    wanted: { kind: 'BadStatus' },
  },
  {
    name: 'a web page',
    handle: (_request, response) => response.end('<html>secret</html>'),
    wanted: { kind: 'Malformed' },
  },
  {
    name: 'a broken connection',
    handle: (_request, response) => response.destroy(),
    wanted: { kind: 'ConnectionFailed' },
  },
  {
    name: 'another server name',
    handle: json(keyDocument('other.example', [ours])),
    wanted: { kind: 'WrongServerName' },
  },
  {
    name: 'a wrong signature',
    handle: json({ ...keyDocument(NAME, [ours]), valid_until_ts: 4e12 }),
    wanted: { kind: 'BadSignature' },
  },
  { name: 'a key that is not ours', handle: json(keyDocument(NAME, [ours, theirs])), wanted: { kind: 'ForeignKeys' } },
  {
    name: 'an expired answer',
    handle: json(keyDocument(NAME, [ours], { valid_until_ts: 1 })),
    wanted: { kind: 'Expired' },
  },
])('$name is told as its class', async ({ handle, wanted }) => {
  matrix.handle = handle;
  const finding = await look(NAME, { timeoutMs: 1500 });
  expect(finding).toMatchObject(wanted);
  expect(JSON.stringify(finding)).not.toMatch(/127\.0|secret/);
});

function drip(response: { write(text: string): boolean; destroyed: boolean }, count: number): void {
  if (response.destroyed || count > 100_000) return;
  response.write(' ');
  setImmediate(() => drip(response, count + 1));
}

test('nobody at the name, no such name and an untrusted certificate are told apart', async () => {
  world.services.set(`_matrix-fed._tcp.${NAME}`, [{ name: NAME, port: 1, priority: 0, weight: 0 }]);
  expect(await look()).toMatchObject({ kind: 'ConnectionFailed' });
  expect(await look('nowhere.example')).toMatchObject({ kind: 'NameNotFound' });
  world.services.clear();
  expect(await look(NAME, { ca: web.cert })).toMatchObject({ kind: 'TLSInvalid' });
});

test('a delegation to somebody else is a mismatch of the well-known document', async () => {
  const other = await world.serve('other.example', json(keyDocument('other.example', [theirs])));
  world.hosts.set('other.example', LOOPBACK);
  web.handle = delegate(`other.example:${other.port}`);
  const finding = await look(NAME, { ca: `${web.cert}${other.cert}` });
  expect(finding).toMatchObject({ kind: 'WellKnownMismatch', delegatedTo: `other.example:${other.port}` });
  expect(outsideOf(finding)).toBe('unreachable');
});

test('a foreign key at our name is what the key state machine gets to see', async () => {
  matrix.handle = json(keyDocument(NAME, [theirs]));
  expect(outsideOf(await look())).toEqual({ keyIds: ['ed25519:theirs'] });
});

test('a notary is found like any server, and its answer counts by our own signature', async () => {
  const bodies: string[] = [];
  const [dead, alive] = ['dead.example', 'notary.example'];
  world.hosts.set(alive, LOOPBACK);
  const notary = await world.serve(alive, (request, response) => {
    request.on('data', (chunk: Buffer) => bodies.push(chunk.toString('utf8')));
    request.on('end', () => response.end(JSON.stringify({ server_keys: [keyDocument(NAME, [ours])] })));
  });
  const ports = { https: web.port, federation: notary.port };
  const ca = `${web.cert}${notary.cert}`;
  const ask = (notaries: string[]) => look(NAME, { ports, ca }, notaries);
  expect(await ask([dead, alive])).toEqual({ ...match, vantage: alive });
  expect(notary.requests).toEqual([`POST ${alive} /_matrix/key/v2/query ${alive}`]);
  expect(bodies.map((body): unknown => JSON.parse(body))).toEqual([{ server_keys: { [NAME]: {} } }]);
  notary.handle = json({ server_keys: [] });
  expect(await ask([alive])).toEqual({ kind: 'NoKeys', vantage: alive });
  notary.handle = json({ server_keys: [{ ...keyDocument(NAME, [ours]), valid_until_ts: 4e12 }] });
  expect(await ask([alive])).toEqual({ kind: 'BadSignature', vantage: alive });
  expect(await ask([dead])).toEqual({ kind: 'NameNotFound', vantage: dead });
});
