import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'key-rotation');
const Manifest = z.looseObject({
  spec: z.looseObject({ signingKeys: z.looseObject({ keys: z.array(z.looseObject({ name: z.string() })) }) }),
});

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.dispose());

/** Applies the keys of a file of the example to a resource whose server and database are the test's. */
async function apply(namespace: string, file: string): Promise<void> {
  const { spec } = Manifest.parse(parse(await readFile(join(EXAMPLE, file), 'utf8')));
  await applyHomeserver(stage, namespace, { signingKeys: spec.signingKeys });
}

async function waitStates(namespace: string, wanted: string): Promise<void> {
  let last = '';
  await waitFor(
    async () => {
      const { signingKeys = [] } = (await readHomeserver(stage, namespace)).status;
      last = signingKeys.map(({ name, state }) => `${name} ${state}`).join(', ');
      return last === wanted;
    },
    { what: `the keys to be ${wanted}` },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; they are ${last}`, { cause: error });
  });
}

const secretNames = async (namespace: string) =>
  (await stage.client.list(KINDS.secret, { namespace, labelSelector: 'matrix-operator.dev/protect=true' })).items
    .map(({ metadata }) => metadata.name)
    .sort((a, b) => (a < b ? -1 : 1));

test('examples/key-rotation: staged, rotated, revoked, as its README says', { timeout: 240_000 }, async () => {
  const namespace = await stage.namespace();
  await stage.startOperator({ watchNamespaces: [namespace], keyWaitDivisor: 100_000 });
  await apply(namespace, '1-before.yaml');
  await waitReady(stage, namespace);
  await apply(namespace, '2-staged.yaml');
  await waitStates(namespace, 'k1 Active, k2 Staged');
  expect(await secretNames(namespace)).toEqual(['chat-key-k1', 'chat-key-k2']);

  await apply(namespace, '3-rotated.yaml');
  await waitStates(namespace, 'k1 Retiring, k2 Active');
  const view = await waitCondition(stage, namespace, {
    type: 'SigningKeysReady',
    status: 'False',
    reason: 'KeyPublishing',
  });
  expect(view.status.conditions).toContainEqual(expect.objectContaining({ type: 'Available', status: 'True' }));
  const { database } = view.status;
  // The minute that an old key's last signature is given is not shortened by any setting.
  await waitFor(
    async () => {
      const text =
        'update matrix_operator.signing_key set expired_ts = expired_ts - 120000 where state = $1 and expired_ts is not null returning name';
      return (await stage.sql(text, ['Retiring'], database?.name)).length > 0;
    },
    { what: 'the end of k1 to be fixed' },
  );
  await stage.client.apply(
    KINDS.homeserver,
    {
      apiVersion: 'matrix-operator.dev/v1alpha1',
      kind: 'MatrixHomeserver',
      metadata: { namespace, name: 'chat', annotations: { look: 'again' } },
    },
    'nudge',
  );
  await waitStates(namespace, 'k1 Retired, k2 Active');
  await waitFor(async () => (await secretNames(namespace)).join() === 'chat-key-k2', {
    what: 'the private half of k1 to be destroyed',
  });
  await waitReady(stage, namespace);

  await apply(namespace, '4-revoked.yaml');
  await waitStates(namespace, 'k1 Retired, k2 Revoked, k3 Active');
  const { status } = await waitReady(stage, namespace);
  expect(status.signingKeys?.find(({ name }) => name === 'k2')).toMatchObject({
    expiredTS: Date.parse('2026-11-01T00:00:00Z'),
  });
  expect(await secretNames(namespace)).toEqual(['chat-key-k3']);
});
