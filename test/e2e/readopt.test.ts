import { expect, inject, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { kubectl } from '../cluster/clients.ts';
import { waitFor } from '../support/wait-for.ts';
import { apiOf, REPLICA_SETS } from './support/api.ts';
import { applyUnlimited, NAME, NAMESPACE } from './support/quickstart.ts';
import { call, history, logIn, newSession } from './support/session.ts';
import { cluster } from './support/setup.ts';
import { Traffic } from './support/traffic.ts';

test('deleting and re-applying the resource finds the same users, key and messages again', async () => {
  const handle = await cluster();
  await applyUnlimited(handle);
  const { url } = inject('started');
  const session = await newSession(url);
  const traffic = new Traffic(session);
  await traffic.start(2);
  await traffic.flow(20);
  await traffic.finish();
  const before = await history(session);
  const keysBefore = await verifyKeys(url);

  await kubectl(handle, ['delete', 'matrixhomeserver', NAME, '--namespace', NAMESPACE, '--timeout=120s']);
  const ofThis = { namespace: NAMESPACE, labelSelector: `matrix-operator.dev/homeserver=${NAME}` };
  const left = async () => [
    ...(await apiOf(handle).list(KINDS.deployment, ofThis)).items,
    ...(await apiOf(handle).list(REPLICA_SETS, ofThis)).items,
  ];
  await waitFor(async () => (await left()).length === 0, {
    what: 'the Deployment to be collected',
    timeoutMs: 120_000,
  });
  await applyUnlimited(handle);

  const token = await logIn(url, session.userId, session.password);
  expect(await history({ ...session, token })).toEqual(before);
  expect(before.length).toBeGreaterThanOrEqual(20);
  expect(await verifyKeys(url)).toEqual(keysBefore);
  // Tokens of before are good too: nothing about the account was made anew.
  await expect(call(url, 'GET', '/account/whoami', undefined, session.token)).resolves.toMatchObject({
    user_id: session.userId,
  });
});

async function verifyKeys(url: string): Promise<unknown> {
  const answer = await fetch(`${url}/_matrix/key/v2/server`);
  const document: unknown = await answer.json();
  return typeof document === 'object' && document !== null && 'verify_keys' in document
    ? document.verify_keys
    : undefined;
}
