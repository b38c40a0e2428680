import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPAT_LEVEL } from '../../homeserver/contract/schema-version.ts';
import type { UpgradePhase } from '../../operator/api/upgrade-status.ts';
import { chooseProvider } from '../cluster/choose-provider.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { NAME as EXAMPLE, NAMESPACE as EXAMPLE_NAMESPACE } from '../e2e/support/quickstart.ts';
import { readyPods, replicasOf } from '../e2e/support/pods.ts';
import { history, newSession } from '../e2e/support/session.ts';
import { cluster } from '../e2e/support/setup.ts';
import type { Session } from '../e2e/support/traffic.ts';
import { Traffic } from '../e2e/support/traffic.ts';
import { sorted } from '../operator/support/stage.ts';
import { upgradeEvents } from '../operator/support/upgrade-events.ts';
import { NEXT_LEVEL, NEXT_VERSION, THIS_VERSION } from './next/next-version.ts';
import { nextImage } from './support/next-image.ts';
import { installedImage, installTestOperator, restoreOperator, Victim } from './support/operators.ts';
import { answering, Upgraded } from './support/upgraded.ts';

// One life of one resource, told in order. The clients talk from the first test to the last.
const SOAK = 3600;

let handle: ClusterHandle;
let thisImage: string;
let server: Upgraded;
let operator: Victim;
let session: Session;
let traffic: Traffic;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  handle = await cluster();
  thisImage = await installedImage(handle);
  server = new Upgraded(handle);
  cleanUps.push(() => server.close());
  const [nextReference, url] = await Promise.all([
    loadNext(),
    server.create({ version: THIS_VERSION, contractAfterSeconds: SOAK }),
  ]);
  session = await newSession(url);
  traffic = new Traffic(session);
  await traffic.start(4, 100);
  cleanUps.push(() => traffic.finish());
  const before = await examplePods();
  cleanUps.push(() => restoreOperator(handle, thisImage));
  await installTestOperator(handle, nextReference);
  await server.says('the next operator to have looked', ({ status }) => status.operatorVersion === NEXT_VERSION);
  operator = new Victim(handle);
  await operator.find();
  // A newer operator replaces no pod of a version that it knows.
  expect(await examplePods()).toEqual(before);
});

afterAll(async () => {
  // Whatever failed before: other tests go on with this cluster.
  const faults: unknown[] = [];
  for (const cleanUp of cleanUps.toReversed()) await cleanUp().catch((error: unknown) => faults.push(error));
  expect(faults).toEqual([]);
});

/** Brings the next version to the nodes; this one gets the name there that the catalogue gives it. */
async function loadNext(): Promise<string> {
  const { provider, contextName: context, instance } = handle;
  const nodes = await chooseProvider({ provider, context, instance });
  const { archive, reference } = await nextImage();
  await nodes.loadImage(archive, reference);
  await nodes.ctr(['images', 'tag', '--force', thisImage, `localhost/matrix-operator:${THIS_VERSION}`]);
  return reference;
}

const examplePods = () => readyPods(handle, EXAMPLE_NAMESPACE, replicasOf(EXAMPLE));

/** Kills the operator in each of these phases; what they lead to comes all the same. */
async function killIn(phases: readonly UpgradePhase[]): Promise<void> {
  for (const phase of phases) {
    await server.inPhase(phase);
    await operator.kill();
  }
}

/** No request failed so far, and requests are still answered. */
async function stillServed(): Promise<void> {
  await traffic.flow(20);
  expect(traffic.failures).toEqual([]);
}

const EVENTS_WITHOUT_SIZE =
  'select count(*) from events e where not exists (select from event_sizes s where s.event_no = e.event_no)';

test('an upgrade arrives with the operator killed in each of its phases, and no client notices', async () => {
  await server.apply({ version: NEXT_VERSION, contractAfterSeconds: SOAK });
  await killIn(['Preflight', 'Expanding', 'Rolling', 'Verifying', 'Soaking']);
  const { status } = await server.reached(NEXT_VERSION);
  expect(status.upgrade).toMatchObject({ phase: 'Soaking', last: { result: 'Upgraded' } });
  expect(await answering(session.url)).toBe(NEXT_VERSION);
  expect(await server.jobs()).toEqual(['migrate', 'migrate', 'preflight', 'verify']);
  // What is written is in step with what was there before, whichever version wrote it.
  expect(await server.sql(EVENTS_WITHOUT_SIZE)).toEqual(['0']);
  await stillServed();
});

test('the way back during the soak changes nothing in the database, and no client notices', async () => {
  await server.apply({ version: THIS_VERSION, contractAfterSeconds: SOAK });
  await killIn(['Rolling']);
  const { status } = await server.reached(THIS_VERSION);
  expect(status.upgrade).toMatchObject({ last: { result: 'RolledBack' } });
  expect(status.schema).toEqual({ version: NEXT_LEVEL, compatVersion: COMPAT_LEVEL });
  expect(await answering(session.url)).toBe(THIS_VERSION);
  expect(await server.sql(EVENTS_WITHOUT_SIZE)).toEqual(['0']);
  await stillServed();
});

test('a second upgrade goes through to the contract with the operator killed in it, and no client notices', async () => {
  await server.apply({ version: NEXT_VERSION, contractAfterSeconds: 0 });
  await killIn(['Contracting']);
  const { status } = await server.says('the contract to be done', ({ status: { upgrade } }) => {
    return upgrade?.phase === undefined && upgrade?.last?.to === NEXT_VERSION;
  });
  expect(status.schema).toEqual({ version: NEXT_LEVEL, compatVersion: NEXT_LEVEL });
  expect(await server.sql("select count(*) from pg_trigger where tgname = 'note_event_size'")).toEqual(['0']);
  const jobs = ['contract', 'migrate', 'migrate', 'preflight', 'preflight', 'preflight', 'verify', 'verify'];
  expect(await server.jobs()).toEqual(jobs);
  await server.reached(NEXT_VERSION);
  await stillServed();
});

test('going back after the contract is refused in words, before any write', async () => {
  await server.rest();
  const before = await server.picture();
  await server.apply({ version: THIS_VERSION, contractAfterSeconds: 0 });
  const { status } = await server.says('the refusal', ({ status: { conditions } }) =>
    conditions.some(
      ({ type, reason, status: value }) => type === 'Stalled' && value === 'True' && reason === 'RollbackUnsafe',
    ),
  );
  const said = status.conditions.find(({ type }) => type === 'Stalled')?.message;
  expect(said).toContain(`the oldest version that fits is ${NEXT_VERSION}, or restore a backup from before`);
  expect(await server.picture()).toBe(before);
  await stillServed();
  await server.apply({ version: NEXT_VERSION, contractAfterSeconds: 0 });
  await server.reached(NEXT_VERSION);
});

test('in all that time no request failed, no message was lost or doubled, and each turn was told once', async () => {
  const { lost, doubled, sent } = await traffic.finish();
  expect({ lost, doubled, failures: traffic.failures }).toEqual({ lost: [], doubled: [], failures: [] });
  const kept = await history(session);
  expect(sorted(kept)).toEqual(sorted(traffic.acknowledged));
  expect(sent).toBeGreaterThan(500);
  const told = await upgradeEvents(server, server.namespace);
  expect(told.map((event) => event.split(':')[0])).toEqual([
    'Normal RollbackPlanned',
    'Normal RollbackRolled',
    'Normal UpgradeContracted',
    'Normal UpgradePlanned',
    'Normal UpgradePlanned',
    'Normal UpgradeRolled',
    'Normal UpgradeRolled',
    'Warning RollbackRefused',
  ]);
});
