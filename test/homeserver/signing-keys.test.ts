import { readFile, rename, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { generateKey } from '../../homeserver/config/generate-key.ts';
import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import { canonicalJson } from '../../homeserver/room/canonical-json.ts';
import { verifyJson } from '../../homeserver/room/event-signature.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver();
});
afterAll(() => server.stop());

const Answer = z.looseObject({
  server_name: z.string(),
  valid_until_ts: z.int(),
  verify_keys: z.record(z.string(), z.looseObject({ key: z.string() })),
  old_verify_keys: z.record(z.string(), z.looseObject({ key: z.string(), expired_ts: z.int() })),
});
const Json = z.record(z.string(), z.json());

async function ask(path = ''): Promise<{ parsed: z.infer<typeof Answer>; json: z.infer<typeof Json> }> {
  const { body } = await server.request('GET', `/_matrix/key/v2/server${path}`);
  return { parsed: Answer.parse(body), json: Json.parse(body) };
}

const readKeyring = async () => KeyringFile.parse(JSON.parse(await readFile(server.keyringFile, 'utf8')));

async function replaceKeyring(content: string): Promise<void> {
  await writeFile(`${server.keyringFile}.new`, content);
  await rename(`${server.keyringFile}.new`, server.keyringFile);
}

test.for(['', '/', '/ed25519:any'])('the key answer at "%s" is signed by its key and valid for a day', async (path) => {
  const { parsed, json } = await ask(path);
  const serverName = server.replicas[0]?.app.keyring.serverName;
  const entries = Object.entries(parsed.verify_keys);
  expect(entries).toHaveLength(1);
  expect(JSON.stringify(json)).toBe(canonicalJson(json));
  for (const [keyId, { key }] of entries) {
    expect(serverName !== undefined && verifyJson(json, serverName, keyId, key)).toBe(true);
  }
  expect(parsed.valid_until_ts).toBeGreaterThan(Date.now() + 23.9 * 3_600_000);
  expect(parsed.valid_until_ts).toBeLessThan(Date.now() + 24.1 * 3_600_000);
});

test('a rotation needs no restart, a broken file changes nothing, and the operator is told', async () => {
  const before = await readKeyring();
  const [old] = before.keys;
  if (old === undefined) throw new Error('no key');
  const next = generateKey();
  await replaceKeyring('{"broken');
  const { keyId, publicKey } = old;
  const rotated = { ...before, generation: 2, keys: [next], oldKeys: [{ keyId, publicKey, expiredTs: 1000 }] };
  await replaceKeyring(JSON.stringify({ ...rotated, keys: [{ ...next, seed: old.seed }] }));
  expect(Object.keys((await ask()).parsed.verify_keys)).toEqual([keyId]);
  await replaceKeyring(JSON.stringify(rotated));
  const client = await server.database.connect();
  await waitFor(
    async () => {
      const { rows } = await client.query<{ id: string }>(
        'select active_key_id as id from ops.replica where keyring_generation = 2',
      );
      return rows.length === server.replicas.length && rows.every(({ id }) => id === next.keyId);
    },
    { what: 'the replicas to report the new keyring' },
  );
  const { parsed } = await ask();
  expect(Object.keys(parsed.verify_keys)).toEqual([next.keyId]);
  expect(parsed.old_verify_keys).toEqual({ [keyId]: { key: publicKey, expired_ts: 1000 } });
});

test('a replica with a keyring that is too old gives no keys away, and does so again once it has the newest', async () => {
  const client = await server.database.connect();
  const { generation } = await readKeyring();
  await client.query('update ops.keyring_floor set generation = $1', [generation + 1]);
  const status = async () => (await server.request('GET', '/_matrix/key/v2/server')).status;
  await waitFor(async () => (await status()) === 503, { what: 'the heartbeat to tell of the floor' });
  await replaceKeyring(JSON.stringify({ ...(await readKeyring()), generation: generation + 1 }));
  await waitFor(async () => (await status()) === 200, { what: 'the new keyring to be read' });
});

test('without federation nothing is told to other servers, and clients are served as ever', async () => {
  const closed = await startHomeserver({ config: { federation: { mode: 'Disabled' } } });
  try {
    for (const path of ['/_matrix/key/v2/server', '/_matrix/federation/v1/version', '/.well-known/matrix/server']) {
      expect([path, (await closed.request('GET', path)).status]).toEqual([path, 404]);
    }
    expect((await closed.request('GET', '/_matrix/client/versions')).status).toBe(200);
  } finally {
    await closed.stop();
  }
});
