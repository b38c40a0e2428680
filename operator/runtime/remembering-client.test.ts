import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KubeClient } from './kube-client.ts';
import type { KubeObject, Manifest, Resource } from './kube-object.ts';
import { createRememberingClient } from './remembering-client.ts';

const SECRETS: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const NAME = { namespace: 'a', name: 'one' };
const manifest: Manifest = { apiVersion: 'v1', kind: 'Secret', metadata: NAME };

/** A server with one object, and a watch that tells its version. */
function world() {
  const asked: string[] = [];
  const seen = { stored: undefined as string | undefined, watched: undefined as string | undefined };
  const objectOf = (version: string): KubeObject => ({ metadata: { ...NAME, uid: 'u', resourceVersion: version } });
  const refuse = () => Promise.reject(new Error('not in this test'));
  const write = (verb: string) => (resource: Resource) => {
    asked.push(`${verb} ${resource.kind}`);
    seen.stored = String(Number(seen.stored ?? '0') + 1);
    return Promise.resolve(objectOf(seen.stored));
  };
  const server: KubeClient = {
    get(resource) {
      asked.push(`get ${resource.kind}`);
      return Promise.resolve(seen.stored === undefined ? undefined : objectOf(seen.stored));
    },
    create: write('create'),
    apply: write('apply'),
    replace: write('replace'),
    list: refuse,
    applyStatus: refuse,
    setFinalizers: refuse,
    delete: refuse,
    watch: () => {
      throw new Error('not in this test');
    },
    patch: refuse,
    getRaw: refuse,
    streamRaw: refuse,
    close: () => Promise.resolve(),
  };
  const written: (string | undefined)[] = [];
  const client = createRememberingClient({
    client: server,
    kinds: [SECRETS],
    versionOf: () => seen.watched,
    onWrite: () => (object) => void written.push(object?.metadata.resourceVersion),
  });
  return { asked, seen, client, written };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('what a watch says is unchanged is asked for once, what has changed is asked for again', async () => {
  const { asked, seen, client } = world();
  Object.assign(seen, { stored: '1', watched: '1' });
  for (let i = 0; i < 3; i += 1) expect((await client.get(SECRETS, NAME))?.metadata.resourceVersion).toBe('1');
  expect(asked).toEqual(['get Secret']);
  Object.assign(seen, { stored: '2', watched: '2' });
  expect((await client.get(SECRETS, NAME))?.metadata.resourceVersion).toBe('2');
  expect(asked).toEqual(['get Secret', 'get Secret']);
});

test('what nobody watches, what is gone by the watch, and other kinds are asked for each time', async () => {
  const { asked, seen, client } = world();
  seen.stored = '1';
  await client.get(SECRETS, NAME);
  await client.get(SECRETS, NAME);
  seen.watched = '1';
  await client.get(PODS, NAME);
  await client.get(PODS, NAME);
  expect(asked).toEqual(['get Secret', 'get Secret', 'get Pod', 'get Pod']);
});

test('what was written is known and told, and forgotten after a while without use', async () => {
  const { asked, seen, client, written } = world();
  await client.create(SECRETS, manifest, 'm');
  seen.watched = '1';
  expect((await client.get(SECRETS, NAME))?.metadata.resourceVersion).toBe('1');
  expect(asked).toEqual(['create Secret']);
  expect(written).toEqual(['1']);
  await vi.advanceTimersByTimeAsync(240_000);
  await client.get(SECRETS, NAME);
  expect(asked).toEqual(['create Secret', 'get Secret']);
  await client.close();
  expect(vi.getTimerCount()).toBe(0);
});
