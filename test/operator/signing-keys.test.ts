import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, inject, test } from 'vitest';
import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import type { DatabaseLogin } from '../../operator/database/connect.ts';
import { checkExistingDatabase, provisionDatabase, tenantLogin } from '../../operator/database/provision.ts';
import type { KeyStore, KeysResult, StoredKey } from '../../operator/signing-keys/ensure-keys.ts';
import { ensureKeys } from '../../operator/signing-keys/ensure-keys.ts';
import { generateSigningKey } from '../../operator/signing-keys/generate.ts';
import type { SigningKey } from '../../operator/signing-keys/generate.ts';
import type { Remembered, WantedKey, WantedKeys } from '../../operator/signing-keys/key-facts.ts';
import { sql } from './support/postgres-servers.ts';

const want = (name: string, state: WantedKey['state'], more: Partial<WantedKey> = {}): WantedKey => ({
  name,
  state,
  isBrought: false,
  compromisedAt: undefined,
  earlier: undefined,
  ...more,
});
const wants = (...keys: WantedKey[]): WantedKeys => ({ serverName: 'example.org', validitySeconds: 86_400, keys });
const wanted = wants(want('k1', 'Active'));
let admin: DatabaseLogin;
let number = 0;
const claims = new Map<string, string>();

beforeAll(() => {
  const { host, port, username, password } = inject('postgres');
  admin = { host, port, username, password, database: 'postgres', tls: { mode: 'Disable' }, credentials: 'test' };
});

async function newDatabase(): Promise<DatabaseLogin> {
  number += 1;
  const name = `mhs_keys_${process.pid}_${number}`;
  const base = {
    claim: randomUUID(),
    serverName: 'example.org',
    adoptPolicy: 'None',
    login: 0,
    connectionLimit: 20,
  } as const;
  const input = { admin, wanted: { ...base, name, provisionedBefore: false }, password: 'x', resource: 'a/b' };
  await provisionDatabase(input);
  claims.set(name, base.claim);
  return tenantLogin(input);
}

const ownerOf = ({ database }: DatabaseLogin) => ({
  serverName: 'example.org',
  claim: claims.get(database) ?? '',
  resource: 'a/b',
  provisionedBefore: true,
});

/** Secrets in memory: create only, like those of the cluster. `onWrite` may kill before or after a write. */
class MemoryStore implements KeyStore {
  readonly keys = new Map<string, StoredKey>();
  readonly brought = new Map<string, SigningKey>();
  keyring: string | undefined;
  onWrite: (when: 'before' | 'after') => void = () => undefined;

  readKey(name: string): Promise<StoredKey | undefined> {
    return Promise.resolve(this.keys.get(name));
  }
  readBrought(name: string): Promise<SigningKey | undefined> {
    return Promise.resolve(this.brought.get(name));
  }
  async createKey(name: string, key: SigningKey, remembers?: Remembered): Promise<void> {
    await this.#write(() => {
      if (!this.keys.has(name)) this.keys.set(name, { ...key, remembers });
    });
  }
  async noteKey(name: string, remembers: Remembered): Promise<void> {
    await this.#write(() => {
      const key = this.keys.get(name);
      if (key !== undefined) this.keys.set(name, { ...key, remembers });
    });
  }
  async deleteKey(name: string): Promise<void> {
    await this.#write(() => {
      this.keys.delete(name);
    });
  }
  readKeyring(): Promise<string | undefined> {
    return Promise.resolve(this.keyring);
  }
  async writeKeyring(text: string): Promise<void> {
    await this.#write(() => {
      this.keyring = text;
    });
  }
  async #write(change: () => void): Promise<void> {
    await Promise.resolve();
    this.onWrite('before');
    change();
    this.onWrite('after');
  }
}

test('a first run makes one key and publishes it, a second changes nothing', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  const first = await ensureKeys({ login, wanted, store, known: [] });
  expect(first).toMatchObject({
    ok: true,
    keyringGeneration: 1,
    changes: ['mint k1', 'record k1', 'decide keyring', 'write keyring'],
    keys: [{ name: 'k1', state: 'Active', publicKey: store.keys.get('k1')?.publicKey }],
  });
  expect(KeyringFile.parse(JSON.parse(store.keyring ?? '')).keys).toMatchObject([{ state: 'active' }]);
  expect(await ensureKeys({ login, wanted, store, known: [] })).toMatchObject({ ok: true, changes: [] });
});

test('the ledger in the database never holds a private half', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  const rows = await sql(login, 'select k.*, r.* from matrix_operator.signing_key k, matrix_operator.keyring r');
  expect(JSON.stringify(rows)).not.toContain(store.keys.get('k1')?.seed);
});

test('killed before or after each write, the next run ends with the same single key', async () => {
  for (let killAt = 1; killAt <= 4; killAt += 1) {
    const [login, store] = [await newDatabase(), new MemoryStore()];
    let writes = 0;
    store.onWrite = () => {
      writes += 1;
      if (writes === killAt) throw new Error('killed');
    };
    await expect(ensureKeys({ login, wanted, store, known: [] })).rejects.toThrow('killed');
    const drawn = store.keys.get('k1');
    expect(await ensureKeys({ login, wanted, store, known: [] })).toMatchObject({ ok: true, keyringGeneration: 1 });
    if (drawn !== undefined) expect(store.keys.get('k1')?.seed).toEqual(drawn.seed);
  }
});

test('four operators at once end with one key', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  const results = await Promise.all(Array.from({ length: 4 }, () => ensureKeys({ login, wanted, store, known: [] })));
  expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true]);
  expect(await sql(login, 'select name, state from matrix_operator.signing_key')).toEqual([
    { name: 'k1', state: 'Active' },
  ]);
  expect(store.keyring).toContain(store.keys.get('k1')?.seed);
});

test('Secret and keyring are made again from each other, byte for byte; both lost is KeyLost', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  const { keyring } = store;
  const key = store.keys.get('k1');
  store.keys.clear();
  expect(await ensureKeys({ login, wanted, store, known: [] })).toMatchObject({
    ok: true,
    changes: ['restore k1', 'note k1'],
  });
  expect(store.keys.get('k1')).toEqual(key);
  store.keyring = undefined;
  expect(await ensureKeys({ login, wanted, store, known: [] })).toMatchObject({ ok: true, changes: ['write keyring'] });
  expect(store.keyring).toBe(keyring);
  store.keyring = undefined;
  store.keys.clear();
  expect(await ensureKeys({ login, wanted, store, known: [] })).toMatchObject({
    ok: false,
    refusal: { reason: 'KeyLost' },
  });
  expect(store.keys.size).toBe(0);
});

test('a Secret that no watch shows yet is asked for before its absence means more than that a key may be drawn', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  const key = store.keys.get('k1') ?? expect.fail('no key');
  const isUnseen = () => true;
  const unseen = (of: MemoryStore) => Object.assign(of, { isUnseen });
  const known = [{ name: 'k1', keyId: key.keyId, publicKey: key.publicKey, remembers: key.remembers }];
  // By status there was a key: it would be lost without its Secret.
  const [again, restored] = [await newDatabase(), unseen(new MemoryStore())];
  restored.keys.set('k1', key);
  expect(await ensureKeys({ login: again, wanted, store: restored, known })).toMatchObject({ ok: true });
  // By nothing: one is drawn, and the one that is there stays.
  const [fresh, kept] = [await newDatabase(), unseen(new MemoryStore())];
  kept.keys.set('k1', key);
  expect(await ensureKeys({ login: fresh, wanted, store: kept, known: [] })).toMatchObject({
    ok: true,
    keys: [{ publicKey: key.publicKey }],
  });
  expect([restored, kept].map(({ keys }) => keys.get('k1')?.seed)).toEqual([key.seed, key.seed]);
});

test('another validity makes the next generation of the keyring with the same key', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  const longer = { ...wanted, validitySeconds: 172_800 };
  expect(await ensureKeys({ login, wanted: longer, store, known: [] })).toMatchObject({
    ok: true,
    keyringGeneration: 2,
  });
});

/** As if all that happened in this database had happened so long ago. */
async function letPass(login: DatabaseLogin, seconds: number): Promise<void> {
  const ago = `interval '${seconds} s'`;
  await sql(
    login,
    `update matrix_operator.signing_key set since = since - ${ago},
    visible_since = visible_since - ${ago}, 
    expired_ts = case when state = 'Retiring' then expired_ts - ${seconds * 1000} else expired_ts end`,
  );
  await sql(login, `update matrix_operator.keyring set decided_at = decided_at - ${ago}`);
}

/** The homeserver's side of the contract, as its migrations make it, with one replica that obeys. */
async function makeReplica(login: DatabaseLogin): Promise<(generation: number, keyId?: string) => Promise<void>> {
  const files = ['0001-ops.sql', '0011-signing.sql'];
  for (const file of files) {
    await sql(login, await readFile(join(import.meta.dirname, '../../homeserver/storage/migrations', file), 'utf8'));
  }
  await sql(
    login,
    `insert into ops.replica (id, software_version, schema_level, clock, heartbeat, backend_tag)
    values ('r', 'test', 1, 0, 0, 'r')`,
  );
  return async (generation, keyId) => {
    const signed = keyId === undefined ? '{}' : JSON.stringify({ [keyId]: Date.now() });
    await sql(
      login,
      `update ops.replica set keyring_generation = ${generation}, last_signed_ts = '${signed}',
      clock = extract(epoch from clock_timestamp()) * 1000, heartbeat = extract(epoch from clock_timestamp()) * 1000`,
    );
  };
}

const statesOf = (result: KeysResult) =>
  result.ok ? result.keys.map(({ name, state }) => `${name} ${state}`) : result;

test('a whole rotation on a real ledger: published, signing, retired, destroyed', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  const report = await makeReplica(login);
  const run = async (of: WantedKeys) => ensureKeys({ login, wanted: of, store, known: [] });
  await run(wanted);
  const old = store.keys.get('k1') ?? expect.fail('no key');
  await report(1, old.keyId);
  const both = wants(want('k1', 'Retired'), want('k2', 'Active'));

  expect(statesOf(await run(both))).toEqual(['k1 Active', 'k2 Published']);
  await report(2, old.keyId);
  const published = await run(both);
  expect(published).toMatchObject({ ok: true, changes: ['visible k2'], pending: { isStuck: false } });
  await letPass(login, 86_400 / 2 + 301);
  await report(2, old.keyId);
  expect(statesOf(await run(both))).toEqual(['k1 Retiring', 'k2 Active']);
  expect(KeyringFile.parse(JSON.parse(store.keyring ?? '')).keys.map(({ state }) => state)).toEqual(
    expect.arrayContaining(['active', 'retiring']),
  );

  // Until the replica has taken it there is no end.
  await report(2, old.keyId);
  expect(await run(both)).toMatchObject({ changes: [] });
  await report(3);
  expect(await run(both)).toMatchObject({ changes: ['floor keyring', 'expire k1'] });
  expect(await sql(login, 'select generation::int from ops.keyring_floor')).toEqual([{ generation: 3 }]);
  await letPass(login, 120);
  await report(3);
  expect(statesOf(await run(both))).toEqual(['k1 Retired', 'k2 Active']);
  const file = KeyringFile.parse(JSON.parse(store.keyring ?? ''));
  expect(file.oldKeys).toMatchObject([{ keyId: old.keyId }]);
  expect(store.keyring).not.toContain(old.seed);
  expect(store.keys.get('k1')?.remembers).toEqual({ state: 'Retired', expiredTs: file.oldKeys[0]?.expiredTs });

  expect(store.keys.has('k1')).toBe(true);
  await letPass(login, 86_401);
  await report(4);
  expect(await run(both)).toMatchObject({ changes: ['destroy k1', 'destroyed k1'], lookAfterMs: undefined });
  expect([...store.keys.keys()]).toEqual(['k2']);
  expect(await run(both)).toMatchObject({ changes: [], pending: undefined, problem: undefined });
});

test('killed before or after each write of a revocation, it ends the same and the private half is gone', async () => {
  const stolen = wants(want('k1', 'Revoked', { compromisedAt: 1000 }), want('k2', 'Active'));
  for (let killAt = 1; killAt <= 12; killAt += 1) {
    const [login, store] = [await newDatabase(), new MemoryStore()];
    await ensureKeys({ login, wanted, store, known: [] });
    const seed = store.keys.get('k1')?.seed ?? '';
    let writes = 0;
    store.onWrite = () => {
      writes += 1;
      if (writes === killAt) throw new Error('killed');
    };
    await ensureKeys({ login, wanted: stolen, store, known: [] }).catch(() => undefined);
    const result = await ensureKeys({ login, wanted: stolen, store, known: [] });
    expect(statesOf(result)).toEqual(['k1 Revoked', 'k2 Active']);
    expect([...store.keys.keys()]).toEqual(['k2']);
    expect(store.keyring).not.toContain(seed);
    expect(KeyringFile.parse(JSON.parse(store.keyring ?? '')).oldKeys).toMatchObject([{ expiredTs: 1000 }]);
  }
});

test('a database restored from before a revocation learns of it from Secrets and status', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  const key = store.keys.get('k1') ?? expect.fail('no key');
  const stolen = wants(want('k1', 'Revoked', { compromisedAt: 1000 }), want('k2', 'Active'));
  const known = [
    {
      ...(store.keys.get('k1') ?? expect.fail()),
      name: 'k1',
      remembers: { state: 'Revoked' as const, expiredTs: 1000 },
    },
  ];
  await ensureKeys({ login, wanted: stolen, store, known: [] });
  await sql(login, 'delete from matrix_operator.signing_key');
  await sql(
    login,
    `insert into matrix_operator.signing_key (name, key_id, public_key, state, state_rank)
    values ('k1', '${key.keyId}', '${key.publicKey}', 'Active', 2)`,
  );
  const result = await ensureKeys({ login, wanted: stolen, store, known });
  expect(statesOf(result)).toEqual(['k1 Revoked', 'k2 Active']);
  expect(result).toMatchObject({ keys: [{ expiredTs: 1000 }, {}] });
});

test('a key that is brought keeps its id and is copied; its copy outlives the original', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  const theirs = { ...generateSigningKey(), keyId: 'ed25519:a_AbCd' };
  store.brought.set('k1', theirs);
  const brings = wants(want('k1', 'Active', { isBrought: true }));
  expect(await ensureKeys({ login, wanted: brings, store, known: [] })).toMatchObject({
    keys: [{ keyId: 'ed25519:a_AbCd' }],
  });
  store.brought.clear();
  expect(await ensureKeys({ login, wanted: brings, store, known: [] })).toMatchObject({ ok: true, changes: [] });
  expect(store.keys.get('k1')).toMatchObject(theirs);
});

test('two operators at once on one rotation make each step once', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  const both = wants(want('k1', 'Retired'), want('k2', 'Active'));
  const results = await Promise.all(
    Array.from({ length: 4 }, () => ensureKeys({ login, wanted: both, store, known: [] })),
  );
  for (const result of results) expect(statesOf(result)).toEqual(['k1 Active', 'k2 Published']);
  expect(await sql(login, 'select count(*)::int as count from matrix_operator.signing_key')).toEqual([{ count: 2 }]);
  expect(KeyringFile.parse(JSON.parse(store.keyring ?? '')).keys).toHaveLength(2);
});

test('a ledger of an older operator gets its new columns and keeps its keys', async () => {
  const [login, store] = [await newDatabase(), new MemoryStore()];
  await ensureKeys({ login, wanted, store, known: [] });
  await sql(login, 'alter table matrix_operator.signing_key drop column visible_since, drop column destroyed_at');
  await sql(login, 'alter table matrix_operator.keyring drop column decided_at, drop column restarted');
  expect(await checkExistingDatabase(login, ownerOf(login))).toMatchObject({ ok: true, changes: 2 });
  expect(await ensureKeys({ login, wanted, store, known: [] })).toMatchObject({ ok: true, changes: [] });
});
