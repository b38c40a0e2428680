import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import { buildCrd } from '../../operator/api/generate-crd.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import { chooseProvider } from '../cluster/choose-provider.ts';
import type { ClusterHandle, ClusterProvider } from '../cluster/cluster.ts';
import { readyPods, replicasOf } from '../e2e/support/pods.ts';
import { applyPostgres, loadImages } from '../e2e/support/quickstart.ts';
import { history, logIn, newSession } from '../e2e/support/session.ts';
import { INSTANCE } from '../e2e/support/setup.ts';
import { Traffic } from '../e2e/support/traffic.ts';
import { sorted } from '../operator/support/stage.ts';
import { THIS_VERSION } from './next/next-version.ts';
import type { Child } from './support/children.ts';
import { childrenOf } from './support/children.ts';
import {
  installedObjects,
  installRelease,
  publish,
  rollBack,
  thoseThere,
  upgradeOperator,
} from './support/operator-release.ts';
import { previousRelease } from './support/previous-release.ts';
import { watchReady } from './support/ready-watch.ts';
import { PREVIOUS_VERSION } from './support/release-tree.ts';
import { answering, Upgraded } from './support/upgraded.ts';

// What a user of the previous release does on the day of this one, in order. The clients talk from the first test to the last.
const SOAK = 3600;
const CRDS: Resource = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const Keys = z.looseObject({ verify_keys: z.record(z.string(), z.looseObject({ key: z.string() })) });
const Crd = z.looseObject({
  spec: z.looseObject({ versions: z.array(z.looseObject({ name: z.string(), schema: z.unknown() })) }),
  status: z.looseObject({ storedVersions: z.array(z.string()) }),
});

let provider: ClusterProvider;
let handle: ClusterHandle;
let server: Upgraded;
let session: Awaited<ReturnType<typeof newSession>>;
let traffic: Traffic;
let ready: Awaited<ReturnType<typeof watchReady>>;
/** Of the previous release. */
let before: { children: Child[]; pods: string[]; keys: object; chart: string[] };
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  provider = await chooseProvider({ instance: `${INSTANCE}-release` });
  cleanUps.push(() => provider.down());
  const up = provider.up();
  const images = loadImages(provider, up, {});
  const released = previousRelease();
  cleanUps.push(async () => (await released).remove());
  const install = async () => {
    const [{ image, chart }] = await Promise.all([released, up]);
    await provider.loadImage(image.archive, image.reference);
    await publish(await up, image.reference, PREVIOUS_VERSION);
    await installRelease(await up, chart);
  };
  const [, ours, postgres] = await Promise.all([install(), images.image, images.postgres]);
  handle = await up;
  await Promise.all([publish(handle, ours, THIS_VERSION), applyPostgres(handle, postgres)]);
  server = new Upgraded(handle);
  cleanUps.push(() => server.close());
  const url = await server.create({ contractAfterSeconds: SOAK }, PREVIOUS_VERSION);
  session = await newSession(url);
  traffic = new Traffic(session);
  await traffic.start(2, 100);
  cleanUps.push(() => traffic.finish());
  await server.rest();
  ready = await watchReady(server);
  cleanUps.push(() => ready.stop());
  before = {
    children: await childrenOf(server),
    pods: await podsOf(server),
    keys: await keysOf(url),
    chart: await installedObjects(handle),
  };
});

afterAll(async () => {
  const faults: unknown[] = [];
  for (const cleanUp of cleanUps.toReversed()) await cleanUp().catch((error: unknown) => faults.push(error));
  expect(faults).toEqual([]);
});

const podsOf = ({ namespace }: Upgraded) => readyPods(handle, namespace, replicasOf('chat'));

/** The keys that other servers verify events by. */
async function keysOf(url: string): Promise<object> {
  const answer = await fetch(`${url}/_matrix/key/v2/server`, { signal: AbortSignal.timeout(10_000) });
  return Keys.parse(await answer.json()).verify_keys;
}

/** No request failed so far, and requests are still answered. */
async function stillServed(): Promise<void> {
  await traffic.flow(10);
  expect(traffic.failures).toEqual([]);
}

test('the new operator takes over a resource of the previous one as it is: the same objects and pods, Ready all along', async () => {
  await upgradeOperator(handle);
  const { status } = await server.says(
    'the new operator to have looked',
    (view) => view.status.operatorVersion === THIS_VERSION,
  );
  expect(ready.said).toEqual([`True Serving: 2/2 replicas serve ${PREVIOUS_VERSION}`]);
  expect(await childrenOf(server)).toEqual(before.children);
  expect(await podsOf(server)).toEqual(before.pods);
  expect(status.version).toMatchObject({
    current: PREVIOUS_VERSION,
    target: PREVIOUS_VERSION,
    available: THIS_VERSION,
  });
  expect(await answering(session.url)).toBe(PREVIOUS_VERSION);
  await stillServed();
});

test('the CRD is the one of this release, and of the chart before nothing is left that this one lacks', async () => {
  const { spec, status } = Crd.parse(await server.client.get(CRDS, { name: 'matrixhomeservers.matrix-operator.dev' }));
  const wanted = z.looseObject({ spec: Crd.shape.spec }).parse(buildCrd());
  expect(spec.versions.map(({ name, schema }) => ({ name, schema }))).toEqual(
    wanted.spec.versions.map(({ name, schema }) => ({ name, schema })),
  );
  expect(status.storedVersions).toEqual(['v1alpha1']);
  const now = await installedObjects(handle);
  expect(
    await thoseThere(
      handle,
      before.chart.filter((object) => !now.includes(object)),
    ),
  ).toEqual([]);
  // kubectl knows what the list calls them: what is in it is found.
  expect(await thoseThere(handle, now.slice(0, 1))).toEqual(now.slice(0, 1));
});

test('by a commit that lets it follow the operator it goes to this version; messages, keys and logins are kept', async () => {
  await server.apply({ contractAfterSeconds: SOAK, approval: 'Automatic' });
  const { status, metadata } = await server.reached(THIS_VERSION);
  expect(await answering(session.url)).toBe(THIS_VERSION);
  expect(status.upgrade?.last).toMatchObject({ to: THIS_VERSION, result: 'Upgraded' });
  expect(status.schema?.version).toBe(SCHEMA_LEVEL);
  expect(status.version).toEqual({
    current: THIS_VERSION,
    target: THIS_VERSION,
    image: expect.stringContaining('localhost/matrix-operator') as unknown,
  });
  expect(status.conditions.filter(({ observedGeneration }) => observedGeneration !== metadata.generation)).toEqual([]);
  expect(await keysOf(session.url)).toEqual(before.keys);
  expect(await logIn(session.url, session.userId, session.password)).not.toBe('');
  await stillServed();
});

test('afterwards each object is the one from before, by the same hands, and none is left over', async () => {
  await server.rest();
  const { metadata } = await server.read();
  const children = await childrenOf(server);
  const settled = (all: readonly Child[]) =>
    all
      .filter(({ what }) => !/^(Job|ConfigMap)\//.test(what))
      .map(({ what, uid, managers, owners }) => ({ what, uid, managers, owners }));
  expect(settled(children)).toEqual(settled(before.children));
  const strangers = children.filter(({ owners }) => owners.some((uid) => uid !== metadata.uid));
  expect(strangers).toEqual([]);
  // The old pods do not count as new ones.
  expect(ready.said.find((line) => line.includes('replicas are new'))).toMatch(/^False Rolling: [01] of 2 /);
  // Not Ready from the commit until the version is reached, and not once more.
  const serving = (version: string) => `True Serving: 2/2 replicas serve ${version}`;
  expect(ready.said.filter((line) => !/^False (Migrating|Rolling|Verifying): /.test(line))).toEqual([
    serving(PREVIOUS_VERSION),
    serving(THIS_VERSION),
  ]);
});

test('in all that time no request failed, and no message was lost or doubled', async () => {
  const { lost, doubled } = await traffic.finish();
  expect({ lost, doubled, failures: traffic.failures }).toEqual({ lost: [], doubled: [], failures: [] });
  expect(sorted(await history(session))).toEqual(sorted(traffic.acknowledged));
});

test('the operator of before, back again, leaves alone what the newer one has worked on, and says so', async () => {
  const children = await childrenOf(server);
  await rollBack(handle);
  const { status } = await server.says('the older operator to say so', (view) =>
    view.status.conditions.some(({ type, reason }) => type === 'Ready' && reason === 'OperatorTooOld'),
  );
  expect(status.operatorVersion).toBe(THIS_VERSION);
  expect(await childrenOf(server)).toEqual(children);
  expect(await answering(session.url)).toBe(THIS_VERSION);
});
