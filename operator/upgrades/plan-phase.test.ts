import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { UpgradePlan } from '../api/upgrade-status.ts';
import { Catalogue } from './catalogue.ts';
import { mayRoll, phaseOf } from './plan-phase.ts';
import type { PhaseInput } from './plan-phase.ts';
import { needsContract, needsExpand, planUpgrade } from './plan-upgrade.ts';
import type { UpgradeRecord } from './plan-upgrade.ts';

const LEVELS: Readonly<Record<string, [number, number]>> = {
  '1.0.0': [1, 1],
  '1.1.0': [2, 1],
  '1.2.0': [2, 2],
  '1.3.0': [3, 2],
};
const VERSIONS = Object.keys(LEVELS);
const FILES = [1, 2, 3].flatMap((level) => [
  { name: `000${level}-more.sql`, phase: 'expand' as const, level },
  { name: `000${level}-less.sql`, phase: 'contract' as const, level },
]);
const catalogue = Catalogue.parse({
  default: '1.0.0',
  versions: Object.fromEntries(
    Object.entries(LEVELS).map(([version, [schemaLevel, compatLevel]]) => {
      const isIn = (file: (typeof FILES)[number]) =>
        file.phase === 'expand' ? file.level <= schemaLevel : file.level > 1 && file.level <= compatLevel;
      const migrations = FILES.filter(isIn).map(({ name, phase }) => ({ name, phase }));
      return [
        version,
        { configSchema: 1, schemaLevel, compatLevel, upgradeFrom: '1.0.0', minOperator: '1.0.0', migrations },
      ];
    }),
  ),
});

/** A database, a Deployment of two pods and what is remembered; no operator, which remembers nothing. */
interface World {
  wanted: string;
  schema: { schemaVersion: number; compatVersion: number } | undefined;
  applied: string[];
  template: string | undefined;
  pods: string[];
  record: UpgradeRecord | undefined;
  preflights: Set<string>;
  time: number;
}

const entryOf = (version: string) => {
  const entry = catalogue.versions[version];
  if (entry === undefined) throw new Error(version);
  return entry;
};

function look(world: World): { plan: UpgradePlan; input: PhaseInput } {
  const deployed = (version: string) => ({ version, image: version });
  const running = world.template === undefined ? undefined : deployed(world.template);
  const { schema, applied, record, wanted, pods } = world;
  const facts = { catalogue, operatorVersion: '1.3.0', schema, applied, record, running, backups: [] } as const;
  const plan = planUpgrade({ ...facts, wanted: deployed(wanted), backup: 'NotConfigured' });
  const accepted = record?.plan.id === plan.id;
  const rolled = world.template === wanted && pods.length > 0 && pods.every((pod) => pod === wanted);
  const input: PhaseInput = {
    plan,
    accepted,
    verified: accepted && record.verifiedAt !== undefined,
    approval: 'given',
    preflight: world.preflights.has(plan.id) ? 'complete' : 'none',
    backup: 'notNeeded',
    expandPending: plan.kind !== 'Rollback' && needsExpand(world, entryOf(wanted)),
    expandJob: 'none',
    rollout: rolled ? 'rolled' : world.template === wanted ? 'rolling' : 'behind',
    verifyJob: 'complete',
    contractPending: needsContract(world, entryOf(wanted)),
    contractJob: 'none',
    now: world.time,
    contractAt: (record?.verifiedAt ?? world.time) + 3,
  };
  return { plan, input };
}

/** One effect of the operator or of what it started; the operator may be killed between any two of them. */
function act(world: World): boolean {
  const { plan, input } = look(world);
  const phase = phaseOf(input);
  if (phase === 'Preflight') {
    world.preflights.add(plan.id);
    return true;
  }
  if (phase === undefined || phase === 'Refused') return false;
  if (!input.accepted) {
    world.record = { plan, acceptedAt: world.time, goodSince: undefined, verifiedAt: undefined };
    return true;
  }
  return work(world, phase, input);
}

function work(world: World, phase: string, input: PhaseInput): boolean {
  const entry = entryOf(world.wanted);
  switch (phase) {
    case 'Expanding':
      expand(world, entry.schemaLevel);
      return true;
    case 'Rolling':
      expect(mayRoll('Rolling', input.expandPending, input.accepted)).toBe(true);
      roll(world);
      return true;
    case 'Verifying':
      if (world.record !== undefined) world.record = { ...world.record, verifiedAt: world.time };
      return true;
    case 'Contracting':
      contract(world);
      return true;
    default:
      return false;
  }
}

/** One file, or at the end the level. */
function expand(world: World, level: number): void {
  const next = entryOf(world.wanted).migrations.find((m) => m.phase === 'expand' && !world.applied.includes(m.name));
  if (next !== undefined) world.applied.push(next.name);
  else {
    const compatVersion = world.schema?.compatVersion ?? entryOf(world.wanted).compatLevel;
    world.schema = { schemaVersion: Math.max(level, world.schema?.schemaVersion ?? 0), compatVersion };
  }
}

/** One pod; as `serve` does, it starts only inside the window. */
function roll(world: World): void {
  world.template = world.wanted;
  const old = world.pods.findIndex((pod) => pod !== world.wanted);
  if (old >= 0) world.pods[old] = world.wanted;
  while (world.pods.length < 2) world.pods.push(world.wanted);
}

/** As `migrate contract` does: first the level, if no older pod lives, then one file. */
function contract(world: World): void {
  const { compatLevel, migrations } = entryOf(world.wanted);
  const tooOld = world.pods.some((pod) => entryOf(pod).schemaLevel < compatLevel);
  if (tooOld || world.schema === undefined) return;
  if (world.schema.compatVersion < compatLevel) world.schema = { ...world.schema, compatVersion: compatLevel };
  else {
    const next = migrations.find((m) => m.phase === 'contract' && !world.applied.includes(m.name));
    if (next !== undefined) world.applied.push(next.name);
  }
}

function checkWindow({ pods, schema }: World): void {
  for (const pod of pods) {
    const { schemaLevel } = entryOf(pod);
    expect(schemaLevel).toBeGreaterThanOrEqual(schema?.compatVersion ?? Infinity);
    expect(schemaLevel).toBeLessThanOrEqual(schema?.schemaVersion ?? 0);
  }
}

const change = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...VERSIONS).map((version) => ({ version })) },
  { weight: 6, arbitrary: fc.constant({ version: undefined }) },
);

test('whatever is wanted at whatever moment, no pod runs outside the window, and the last wish is reached or refused', () => {
  fc.assert(
    fc.property(fc.constantFrom(...VERSIONS), fc.array(change, { maxLength: 60 }), (first, changes) => {
      const world: World = {
        wanted: first,
        schema: undefined,
        applied: [],
        template: undefined,
        pods: [],
        record: undefined,
        preflights: new Set(),
        time: 0,
      };
      for (const { version } of changes) {
        if (version !== undefined) world.wanted = version;
        act(world);
        checkWindow(world);
        world.time += 1;
      }
      for (let i = 0; i < 60; i += 1) {
        act(world);
        checkWindow(world);
        world.time += 1;
      }
      const { plan, input } = look(world);
      const phase = phaseOf(input);
      if (plan.refusal === undefined) {
        expect(phase).toBeUndefined();
        expect(world.pods).toEqual([world.wanted, world.wanted]);
      } else {
        expect(phase).toBe('Refused');
        expect(plan.refusal.reason).toBe('RollbackUnsafe');
      }
    }),
    { numRuns: 400 },
  );
});

const plan = planUpgrade({
  catalogue,
  operatorVersion: '1.3.0',
  wanted: { version: '1.2.0', image: 'i' },
  schema: { schemaVersion: 1, compatVersion: 1 },
  applied: ['0001-more.sql'],
  running: { version: '1.0.0', image: 'i' },
  record: undefined,
  backup: 'Required',
  backups: [],
});

const START: PhaseInput = {
  plan,
  accepted: false,
  verified: false,
  approval: 'missing',
  preflight: 'none',
  backup: 'pending',
  expandPending: true,
  expandJob: 'none',
  rollout: 'behind',
  verifyJob: 'none',
  contractPending: true,
  contractJob: 'none',
  now: 10,
  contractAt: 20,
};

const steps: [string, Partial<PhaseInput>][] = [
  ['AwaitingApproval', {}],
  ['Planned', { approval: 'noTurn' }],
  ['Preflight', { approval: 'given' }],
  ['Failed', { approval: 'given', preflight: 'failed' }],
  ['BackingUp', { approval: 'given', preflight: 'complete' }],
  ['Failed', { approval: 'given', preflight: 'complete', backup: 'failed' }],
  ['Expanding', { approval: 'given', preflight: 'complete', backup: 'done' }],
  ['Expanding', { accepted: true }],
  ['Failed', { accepted: true, expandJob: 'failed' }],
  ['Rolling', { accepted: true, expandPending: false }],
  ['Failed', { accepted: true, expandPending: false, rollout: 'failed' }],
  ['Verifying', { accepted: true, expandPending: false, rollout: 'rolled' }],
  ['Failed', { accepted: true, expandPending: false, rollout: 'rolled', verifyJob: 'failed' }],
  ['Rolling', { accepted: true, expandPending: false, rollout: 'rolling', verifyJob: 'failed' }],
  ['Soaking', { accepted: true, expandPending: false, verified: true }],
  ['Contracting', { accepted: true, expandPending: false, verified: true, now: 20 }],
  ['Failed', { accepted: true, expandPending: false, verified: true, now: 20, contractJob: 'failed' }],
];

test.for(steps)('%s', ([phase, more]) => {
  expect(phaseOf({ ...START, ...more })).toBe(phase);
});

test('a failed preflight or migration lets no pod roll, a failed rollout or contract leaves the new version wanted', () => {
  expect([mayRoll('Failed', true, false), mayRoll('Failed', true, true), mayRoll('Failed', false, true)]).toEqual([
    false,
    false,
    true,
  ]);
});
