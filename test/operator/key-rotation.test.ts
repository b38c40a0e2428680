import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { liveUntil } from './support/killed-operator.ts';
import type { Proxy } from './support/killing-proxy.ts';
import { startProxy } from './support/killing-proxy.ts';
import { createRealReplicas, type RealReplicas } from './support/real-replicas.ts';
import { RemoteServer } from './support/remote-server.ts';
import type { Stage } from './support/stage.ts';
import { OWN_RELEASE } from './support/test-programs.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';

/** T1 becomes 2 s, T4 4 s. */
const DIVISOR = 20_000;
/**
 * The minute between an old key's last signature and its end becomes 5 s. It is for clocks that are wrong, and all clocks
 * here are one; the sooner the end, the sooner a signature after it would show.
 */
const HURRY = `update matrix_operator.signing_key set expired_ts = expired_ts - 55000
  where state = 'Retiring' and expired_ts > extract(epoch from now()) * 1000 + 30000`;
const MAX_LIVES = 150;

let stage: Stage;
let folder: string;
let proxy: Proxy;
beforeAll(async () => {
  stage = await openStage();
  stage.actors.behaviour.fakesReplicas = false;
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-rotation-'));
  proxy = await startProxy(stage.api, folder);
});
afterAll(async () => {
  await proxy.close();
  await stage.dispose();
  await rm(folder, { recursive: true, force: true });
});

const LEDGER = `select md5(string_agg(t, '' order by t)) as now from (
  select k::text as t from matrix_operator.signing_key k union all select r::text from matrix_operator.keyring r
  union all select f::text from ops.keyring_floor f) all_rows`;

async function ledger(database: string): Promise<string> {
  await stage.sql(HURRY, [], database);
  return z.string().parse((await stage.sql(LEDGER, [], database))[0]?.['now']);
}

const Token = z.looseObject({ access_token: z.string() });
const Room = z.looseObject({ room_id: z.string() });

async function call(url: string, method: string, path: string, body: object, token?: string): Promise<unknown> {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const answer = await fetch(url + path, {
    method,
    headers,
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const json: unknown = await answer.json();
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
  return json;
}

/** People who talk without a pause, and servers that check all they say. */
class World {
  readonly eager: RemoteServer;
  readonly lazy: RemoteServer;
  readonly events: string[] = [];
  sent = 0;
  readonly #replicas: RealReplicas;
  readonly #database: string;
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];

  constructor(serverName: string, database: string, replicas: RealReplicas) {
    const urls = () => replicas.replicas.map(({ url }) => url);
    this.eager = new RemoteServer(serverName, urls);
    this.lazy = new RemoteServer(serverName, urls);
    this.#replicas = replicas;
    this.#database = database;
  }

  async begin(): Promise<void> {
    const url = this.#replicas.replicas[0]?.url ?? '';
    const account = { username: 'alice', password: 'a long enough password', auth: { type: 'm.login.dummy' } };
    const { access_token: token } = Token.parse(await call(url, 'POST', '/_matrix/client/v3/register', account));
    const { room_id: room } = Room.parse(
      await call(url, 'POST', '/_matrix/client/v3/createRoom', { room_version: '11' }, token),
    );
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message`;
    for (const which of [0, 1]) this.#loop(() => this.#say(which, path, token));
    this.#loop(() => this.eager.fetchKeys());
    this.#loop(() => this.#hear());
  }

  #loop(work: () => Promise<void>): void {
    const run = async () => {
      while (!this.#stop.signal.aborted) {
        await work();
        await pause(100);
      }
    };
    this.#loops.push(run());
  }

  /** A replica that must not sign says 503; the person tries again. */
  async #say(which: number, path: string, token: string): Promise<void> {
    const { url } = this.#replicas.replicas[which] ?? { url: '' };
    const number = (this.sent += 1);
    await call(url, 'PUT', `${path}/${number}`, { msgtype: 'm.text', body: `${number}` }, token).catch(
      (error: unknown) => {
        if (!String(error).includes('503')) throw error;
      },
    );
  }

  async #hear(): Promise<void> {
    const text = `select json from events where json like '%"type":"m.room.message"%' order by position offset $1`;
    for (const row of await stage.sql(text, [this.events.length], this.#database)) {
      const event = z.string().parse(row['json']);
      this.events.push(event);
      await Promise.all([this.eager.receive(event), this.lazy.receive(event)]);
    }
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    await this.#hear();
  }
}

const KEYS = {
  rotation: [
    { name: 'k1', state: 'Retired' },
    { name: 'k2', state: 'Active' },
  ],
  revocation: (at: string) => [
    { name: 'k1', state: 'Retired' },
    { name: 'k2', state: 'Revoked', compromisedAt: at },
    { name: 'k3', state: 'Active' },
  ],
};

/** True once every key is where `keys` wants it and only the active one has a private half left. */
async function isSettled(namespace: string, keys: readonly { name: string; state: string }[]): Promise<boolean> {
  const view = await readHomeserver(stage, namespace);
  const found = view.status.signingKeys ?? [];
  const isThere = keys.every(({ name, state }) => found.some((key) => key.name === name && key.state === state));
  const halves = found.filter(({ secretName }) => secretName !== undefined).length;
  return isThere && halves === 1 && conditionOf(view, 'Ready')?.status === 'True';
}

async function killAtEachStep(
  namespace: string,
  database: string,
  keys: readonly { name: string; state: string }[],
): Promise<string[]> {
  await applyHomeserver(stage, namespace, { replicas: 2, config: CONFIG, signingKeys: { keys } });
  const settings = { MATRIX_OPERATOR_KEY_WAIT_DIVISOR: String(DIVISOR) };
  const operator = { namespace, proxy, folder, settings, watched: () => ledger(database) };
  return liveUntil(operator, () => isSettled(namespace, keys), MAX_LIVES);
}

const CONFIG = { registration: { mode: 'Open' }, rateLimits: { enabled: false } };

test('a rotation and a revocation, the operator killed after each step, under traffic: no server ever sees a signature that it cannot verify', {
  timeout: 900_000,
}, async () => {
  const namespace = await stage.namespace();
  const operator = await stage.startOperator({
    ...OWN_RELEASE,
    watchNamespaces: [namespace],
    secretNamespaces: [namespace],
  });
  await applyHomeserver(stage, namespace, { replicas: 2, config: CONFIG });
  const replicas = createRealReplicas(stage, namespace);
  try {
    const { status } = await waitCondition(stage, namespace, {
      type: 'SchemaReady',
      status: 'True',
      timeoutMs: 120_000,
    });
    const database = status.database?.name ?? '';
    // One node hands on a new keyring at once, the other three seconds late.
    await replicas.start(0);
    await replicas.start(3000);
    await waitReady(stage, namespace);
    await operator.stop();

    const world = new World(`${namespace}.example`, database, replicas);
    await world.begin();
    const rotation = await killAtEachStep(namespace, database, KEYS.rotation);
    expect([world.eager.faults, world.lazy.faults]).toEqual([[], []]);
    const honest = [...world.events];
    // Whoever comes later, and sees the old key only among the old ones, can still verify all that was said.
    const late = new RemoteServer(`${namespace}.example`, () => replicas.replicas.map(({ url }) => url));
    for (const event of honest) await late.receive(event);
    expect(late.faults).toEqual([]);

    const revocation = await killAtEachStep(namespace, database, KEYS.revocation(new Date().toISOString()));
    await world.end();
    expect([world.eager.faults, world.lazy.faults]).toEqual([[], []]);
    expect(rotation.length, rotation.join('\n')).toBeGreaterThan(10);
    expect(revocation.length, revocation.join('\n')).toBeGreaterThan(5);
    expect(new Set(world.events.map((event) => /"ed25519:[a-z0-9_]+"/.exec(event)?.[0])).size).toBe(3);
    expect(world.eager.checked).toBeGreaterThan(100);
  } finally {
    await replicas.stop();
  }
});
