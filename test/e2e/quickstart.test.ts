import { expect, inject, test } from 'vitest';
import { kubectl } from '../cluster/clients.ts';
import { comeBack, converse, pageBack, partWays } from './support/conversation.ts';
import { NAME, NAMESPACE } from './support/quickstart.ts';
import { cluster, npmStart } from './support/setup.ts';

test('npm start ends with a Ready homeserver and says where it is', async () => {
  const { output, url } = inject('started');
  expect(output).toMatch(new RegExp(`^${NAMESPACE}\\s+${NAME}\\s.*\\sTrue\\s+Serving\\s`, 'm'));
  const answer = await fetch(`${url}/_matrix/client/versions`);
  expect(answer.status).toBe(200);
});

test('the user that npm start prints can log in', async () => {
  const { url, user, password } = inject('started');
  const person = await comeBack(url, user, password);
  partWays([person]);
  expect(person.client.getRooms().length).toBeGreaterThan(0);
});

test('two clients converse in both directions and page back through all of it', async () => {
  const talk = await converse(inject('started').url, 10);
  const [first] = talk.people;
  const seen = first === undefined ? [] : await pageBack(first, talk.roomId);
  partWays(talk.people);
  expect(seen).toEqual(talk.eventIds);
});

test('running npm start again reuses cluster, database and homeserver', async () => {
  const handle = await cluster();
  const path = 'jsonpath={.metadata.uid}';
  const read = () => kubectl(handle, ['get', 'matrixhomeserver', NAME, '--namespace', NAMESPACE, '-o', path]);
  const before = await read();
  const again = await npmStart();
  const { url, kubeconfig } = inject('started');
  expect({ url: again.url, kubeconfig: again.kubeconfig }).toEqual({ url, kubeconfig });
  expect(await read()).toBe(before);
});
