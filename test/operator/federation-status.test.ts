import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import { signingKeyFromSeed } from '../../homeserver/room/event-signature.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { decodeSecret } from '../../operator/reconcile/secret-data.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Handler, MatrixWorld, TestKey, WorldServer } from './support/matrix-world.ts';
import { json, keyDocument, openWorld, testKey } from './support/matrix-world.ts';
import type { RunningOperator, Stage, StartOptions } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';

let stage: Stage;
let world: MatrixWorld;
let operator: RunningOperator;
const nobody: Handler = json({}, 404);

beforeAll(async () => {
  stage = await openStage();
  world = await openWorld();
});
afterEach(() => operator.stop());
afterAll(async () => {
  await world.close();
  await stage.dispose();
});

/** Starts an operator that looks at `server` for every name, every 100 ms. */
async function startOperator(server: WorldServer, more: StartOptions = {}): Promise<void> {
  operator = await stage.startOperator({
    ...more,
    federationCheck: {
      allowCidrs: ['127.0.0.0/8'],
      userAgent: 'test',
      ca: server.cert,
      ports: { https: server.port, federation: server.port },
      dns: world.dns,
      timing: { everyMs: 100, againMs: 50, soonMs: 10 },
    },
  });
}

async function makeServer(handle: Handler): Promise<{ namespace: string; server: WorldServer; name: string }> {
  const namespace = await stage.namespace();
  const name = `${namespace}.example`;
  world.hosts.set(name, ['127.0.0.1']);
  return { namespace, name, server: await world.serve(name, handle) };
}

const activeKey = (namespace: string) => keyIn(namespace, 'active');
const publishedKey = (namespace: string) => keyIn(namespace, 'published');

async function keyIn(namespace: string, wanted: string): Promise<TestKey> {
  const secret = await stage.client.get(KINDS.secret, { namespace, name: 'chat-keyring' });
  if (secret === undefined) throw new Error('there is no keyring');
  const { keys } = KeyringFile.parse(JSON.parse(decodeSecret(secret).values['keyring.json'] ?? ''));
  const key = keys.find(({ state }) => state === wanted);
  if (key === undefined) throw new Error(`no key is ${wanted}`);
  return signingKeyFromSeed(`ed25519:${key.keyId.slice('ed25519:'.length)}`, Buffer.from(key.seed ?? '', 'base64'));
}

const verified = (namespace: string, status: string, reason: string) =>
  waitCondition(stage, namespace, { type: 'FederationVerified', status, reason });

/** Waits for three more looks. */
const looks = async (server: WorldServer) => {
  const before = server.requests.length;
  await waitFor(() => server.requests.length >= before + 6, { what: 'three more looks' });
};

test('status tells what others see of this server; it gates nothing, and looking again writes nothing', async () => {
  const { namespace, name, server } = await makeServer(nobody);
  await startOperator(server);
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const unseen = await verified(namespace, 'False', 'Unreachable');
  expect(unseen.status.federation).toEqual({ vantage: 'Direct', error: 'BadStatus' });
  expect(conditionOf(unseen, 'Ready')?.status).toBe('True');

  const key = await activeKey(namespace);
  server.handle = json(keyDocument(name, [key]));
  const seen = await verified(namespace, 'True', 'KeysMatch');
  expect(seen.status.federation).toEqual({ vantage: 'Direct', keyIDsSeen: [key.keyId] });
  await looks(server);
  const later = await readHomeserver(stage, namespace);
  expect(later.metadata.resourceVersion).toBe(seen.metadata.resourceVersion);

  server.handle = json(keyDocument(name, [key, testKey('theirs', 2)]));
  const foreign = await verified(namespace, 'False', 'ForeignKeys');
  expect(foreign.status.federation?.keyIDsSeen).toContain('ed25519:theirs');
  expect(conditionOf(foreign, 'Ready')?.status).toBe('True');
  const { text } = await operator.health('/metrics');
  expect(text).toMatch(/^matrix_operator_federation_check_total\{class="ForeignKeys"\} [1-9]/m);
});

test('a new operator leaves the condition as it was until it has looked itself; Off takes it back', async () => {
  const { namespace, name, server } = await makeServer(nobody);
  await startOperator(server);
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  server.handle = json(keyDocument(name, [await activeKey(namespace)]));
  await verified(namespace, 'True', 'KeysMatch');
  await operator.stop();

  // Accepts and never answers: no look ends while this test lasts.
  server.handle = () => undefined;
  const before = server.requests.length;
  await startOperator(server);
  await waitFor(() => server.requests.length > before, { what: 'a look of the new operator' });
  await applyHomeserver(stage, namespace, { replicas: 2 });
  const kept = await waitReady(stage, namespace);
  expect(conditionOf(kept, 'FederationVerified')).toMatchObject({ status: 'True', reason: 'KeysMatch' });
  expect(kept.status.federation?.keyIDsSeen).toHaveLength(1);

  await applyHomeserver(stage, namespace, { federation: { selfCheck: 'Off' } });
  const off = await verified(namespace, 'Unknown', 'NotChecked');
  expect(off.status.federation).toBeUndefined();
});

test('the first key is not made while the name answers with the keys of somebody else, and is made once it does not', async () => {
  const { namespace, name, server } = await makeServer(nobody);
  server.handle = json(keyDocument(name, [testKey('theirs', 2)]));
  await startOperator(server);
  await applyHomeserver(stage, namespace);
  const stalled = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'ServerNameInUse' });
  expect(conditionOf(stalled, 'FederationVerified')?.reason).toBe('ForeignKeys');
  expect(await stage.client.get(KINDS.secret, { namespace, name: 'chat-key-k1' })).toBeUndefined();
  server.handle = nobody;
  await waitReady(stage, namespace);
});

test('a published key does not sign while the name answers without it', async () => {
  const { namespace, name, server } = await makeServer(nobody);
  await startOperator(server, { keyWaitDivisor: 1_000_000 });
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const old = await activeKey(namespace);
  server.handle = json(keyDocument(name, [old]));
  await verified(namespace, 'True', 'KeysMatch');
  const keys = [
    { name: 'k1', state: 'Retired' },
    { name: 'k2', state: 'Active' },
  ];
  await applyHomeserver(stage, namespace, { signingKeys: { keys } });
  await waitFor(
    async () => {
      const view = await readHomeserver(stage, namespace);
      return conditionOf(view, 'SigningKeysReady')?.message.includes('still answers other servers without it');
    },
    { what: 'the key to be held back' },
  );
  const held = await readHomeserver(stage, namespace);
  expect(held.status.signingKeys?.map(({ state }) => state)).toEqual(['Active', 'Published']);
  server.handle = json(keyDocument(name, [old, await publishedKey(namespace)]));
  await waitFor(async () => (await activeKey(namespace)).keyId !== old.keyId, { what: 'the new key to sign' });
});
