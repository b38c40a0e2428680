import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import { DATABASE_FINALIZER } from '../../operator/resources/labels.ts';
import { waitFor } from '../support/wait-for.ts';
import { endState } from './support/compare.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitReady } from './support/stage.ts';

const DAY_MS = 86_400_000;
/** The time for which a key is published before it signs, 43,500 s by the defaults, becomes 2 s. */
const DIVISOR = 20_000;
const ROTATED = {
  signingKeys: {
    keys: [
      { name: 'k1', state: 'Retired' },
      { name: 'k2', state: 'Active' },
    ],
  },
};

let stage: Stage;
/** By how much the wall clock of the operator is wrong, ms. */
let wrongBy = 0;
const now = () => Date.now() + wrongBy;
beforeAll(async () => {
  stage = await openStage();
});
beforeEach(() => {
  wrongBy = 0;
});
afterAll(() => stage.dispose());

const Values = z.object({ values: z.array(z.object({ value: z.number() })) });

async function runs(operator: RunningOperator): Promise<number> {
  const { values } = Values.parse(await operator.metrics.reconciles.get());
  return values.reduce((sum, { value }) => sum + value, 0);
}

let looks = 0;
/** Has the operator look again, by a change that means nothing, and waits until it has. */
async function look(operator: RunningOperator, namespace: string): Promise<void> {
  const before = await runs(operator);
  looks += 1;
  const metadata = { namespace, name: 'chat', annotations: { 'example.org/look': String(looks) } };
  const { apiVersion, kind } = KINDS.homeserver;
  await stage.client.apply(KINDS.homeserver, { apiVersion, kind, metadata }, 'looker');
  await waitFor(async () => (await runs(operator)) > before, { what: 'a run' });
}

const Keys = z.array(z.object({ name: z.string(), state: z.string(), ends_in: z.number().nullable() }));

/** The ledger; `ends_in` in seconds from now by the clock of the database. */
async function ledger(namespace: string): Promise<z.infer<typeof Keys>> {
  const { status } = await readHomeserver(stage, namespace);
  const text = `select name, state, expired_ts::float8 / 1000 - extract(epoch from now())::float8 as ends_in
    from matrix_operator.signing_key order by name`;
  return Keys.parse(await stage.sql(text, [], status.database?.name ?? ''));
}

const states = async (namespace: string) => (await ledger(namespace)).map(({ name, state }) => `${name} ${state}`);

const waitStates = (namespace: string, ...wanted: string[]) =>
  waitFor(async () => (await states(namespace)).join() === wanted.join(), { what: wanted.join() });

test('a wall clock that jumps forward and back brings no key forward, ends none and writes nothing', async () => {
  const namespace = await stage.namespace();
  const operator = await stage.startOperator({ now });
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  await applyHomeserver(stage, namespace, ROTATED);
  await waitStates(namespace, 'k1 Active', 'k2 Published');
  // The run that published the key has ended with its status.
  await waitFor(async () => (await readHomeserver(stage, namespace)).status.signingKeys?.[1]?.nextTransitionTime, {
    what: 'the time of the next step in the status',
  });
  const before = await endState(stage, namespace);
  for (const jump of [30 * DAY_MS, -30 * DAY_MS, 0]) {
    wrongBy = jump;
    await look(operator, namespace);
    expect(await states(namespace)).toEqual(['k1 Active', 'k2 Published']);
    expect(await endState(stage, namespace)).toBe(before);
  }
  await operator.stop();

  wrongBy = -30 * DAY_MS;
  const hasty = await stage.startOperator({ now, keyWaitDivisor: DIVISOR });
  await waitStates(namespace, 'k1 Retiring', 'k2 Active');
  const [k1] = await waitFor(
    async () => {
      const keys = await ledger(namespace);
      return keys[0]?.ends_in === null ? undefined : keys;
    },
    { what: 'the end of the old key' },
  );
  // A minute after its last signature, by the clock of the database, which all replicas share.
  expect(k1?.ends_in).toBeGreaterThan(0);
  expect(k1?.ends_in).toBeLessThanOrEqual(60);
  expect(await readSecret(stage.client, { namespace, name: 'chat-key-k1' })).toBeDefined();
  await hasty.stop();
});

test('a wall clock that is a day ahead neither ends sessions that still drain nor gives up a database', async () => {
  wrongBy = DAY_MS;
  const [drains, terminates] = [await stage.namespace(), await stage.namespace()];
  const operator = await stage.startOperator({ now });
  for (const namespace of [drains, terminates]) {
    await applyHomeserver(stage, namespace, { deletion: { policy: 'Delete', confirm: `${namespace}.example` } });
  }
  for (const namespace of [drains, terminates]) await waitReady(stage, namespace);
  const {
    username = '',
    password = '',
    dbname = '',
  } = (await readSecret(stage.client, { namespace: drains, name: 'chat-db' }))?.values ?? {};
  const session = await stage.connect({ username, password, database: dbname });
  await stage.client.delete(KINDS.namespace, { name: terminates });
  await stage.client.delete(KINDS.secret, { namespace: terminates, name: 'pg-admin' });
  for (const namespace of [drains, terminates]) {
    await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
  }
  await waitFor(async () => conditionOf(await readHomeserver(stage, drains), 'Reconciling')?.reason === 'Deleting', {
    what: 'the deletion to wait',
  });
  await waitFor(async () => conditionOf(await readHomeserver(stage, terminates), 'Stalled')?.status === 'True', {
    what: 'the deletion to stall',
  });
  for (const namespace of [drains, terminates]) {
    await look(operator, namespace);
    await look(operator, namespace);
    const found = await stage.client.get(KINDS.homeserver, { namespace, name: 'chat' });
    expect(found?.metadata.finalizers).toEqual([DATABASE_FINALIZER]);
  }
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await session.end();
  await waitFor(
    async () => (await stage.client.get(KINDS.homeserver, { namespace: drains, name: 'chat' })) === undefined,
    {
      what: 'the resource to be gone',
    },
  );
  await operator.stop();
});
