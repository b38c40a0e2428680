import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Catalogue } from './catalogue.ts';
import { Catalogue as CatalogueSchema, newerThan } from './catalogue.ts';
import type { PlanInput, UpgradeRecord } from './plan-upgrade.ts';
import { planUpgrade } from './plan-upgrade.ts';

const entry = (level: number, compat: number, upgradeFrom = '0.0.1') => ({
  configSchema: 1,
  schemaLevel: level,
  compatLevel: compat,
  upgradeFrom,
  minOperator: '1.0.0',
  migrations: Array.from({ length: level }, (_, i) => [
    { name: `000${i + 1}-expand.sql`, phase: 'expand' as const },
    ...(i + 1 <= compat && i > 0 ? [{ name: `000${i + 1}-shrink.sql`, phase: 'contract' as const }] : []),
  ]).flat(),
});

const catalogue: Catalogue = CatalogueSchema.parse({
  default: '1.2.0',
  versions: {
    '1.0.0': entry(1, 1),
    '1.0.1': entry(1, 1),
    '1.1.0': entry(2, 2),
    '1.2.0': entry(3, 3, '1.1.0'),
    '2.0.0': { ...entry(3, 3, '1.2.0'), minOperator: '2.0.0' },
  },
});

const image = (version: string) => `image:${version}`;
const deployed = (version: string) => ({ version, image: image(version) });

/** What the database has after the expands of `level` and the contracts of `compat`. */
function database(level: number, compat: number): Pick<PlanInput, 'schema' | 'applied'> {
  const { migrations } = catalogue.versions['1.2.0'] ?? { migrations: [] };
  const has = ({ name, phase }: { name: string; phase: string }) =>
    Number(name.slice(0, 4)) <= (phase === 'expand' ? level : compat);
  return {
    schema: { schemaVersion: level, compatVersion: compat },
    applied: migrations.filter(has).map((m) => m.name),
  };
}

function input(to: string, more: Partial<PlanInput> = {}): PlanInput {
  return {
    catalogue,
    operatorVersion: '1.2.0',
    wanted: deployed(to),
    schema: undefined,
    applied: [],
    running: undefined,
    record: undefined,
    backup: 'NotConfigured',
    backups: [],
    ...more,
  };
}

/** As if `version` had been installed and verified. */
function serving(version: string, level: number, compat: number): Partial<PlanInput> {
  const { plan } = record(version);
  return { ...database(level, compat), running: deployed(version), record: { ...record(version), plan } };
}

function record(version: string, more: Partial<UpgradeRecord> = {}): UpgradeRecord {
  return { plan: planUpgrade(input(version)), acceptedAt: 1, goodSince: 2, verifiedAt: 3, ...more };
}

const phases = (given: PlanInput) => planUpgrade(given).steps.map(({ phase }) => phase);

test('a new database is an Install: no preflight, no contract', () => {
  expect(planUpgrade(input('1.1.0'))).toMatchObject({ kind: 'Install', to: '1.1.0' });
  expect(planUpgrade(input('1.1.0')).from).toBeUndefined();
  expect(phases(input('1.1.0'))).toEqual(['Expanding', 'Rolling', 'Verifying']);
});

test('a newer level is expanded, rolled out and contracted later; only the contract cannot be undone', () => {
  const given = input('1.1.0', serving('1.0.0', 1, 1));
  expect(planUpgrade(given)).toMatchObject({ kind: 'Upgrade', from: '1.0.0', rollbackTo: ['1.0.1', '1.0.0'] });
  expect(planUpgrade(given).steps).toEqual([
    { phase: 'Preflight', reversible: true },
    { phase: 'Expanding', migrations: ['0002-expand.sql'], reversible: true },
    { phase: 'Rolling', reversible: true },
    { phase: 'Verifying', reversible: true },
    { phase: 'Soaking', reversible: true },
    { phase: 'Contracting', migrations: ['0002-shrink.sql'], reversible: false },
  ]);
});

test('a backup is a step when it is configured and required', () => {
  expect(phases(input('1.1.0', { ...serving('1.0.0', 1, 1), backup: 'Required' }))).toContain('BackingUp');
  expect(phases(input('1.1.0', { ...serving('1.0.0', 1, 1), backup: 'Disabled' }))).not.toContain('BackingUp');
  // A version may write badly also where it needs no SQL; another digest of the one that serves is the same program.
  const backedUp = { ...serving('1.0.0', 1, 1), backup: 'Required' } as const;
  expect(phases(input('1.0.1', backedUp))).toContain('BackingUp');
  const digest = { version: '1.0.0', image: 'image@sha256:1' };
  expect(phases(input('1.0.0', { ...backedUp, wanted: digest }))).not.toContain('BackingUp');
  expect(phases(input('1.0.0', { ...backedUp, wanted: digest, ...database(0, 0) }))).toContain('BackingUp');
});

test('a patch of the same level, and the same version in another image, only roll', () => {
  expect(phases(input('1.0.1', serving('1.0.0', 1, 1)))).toEqual(['Preflight', 'Rolling', 'Verifying']);
  const other = { ...input('1.0.0', serving('1.0.0', 1, 1)), wanted: { version: '1.0.0', image: 'image@sha256:1' } };
  expect(planUpgrade(other)).toMatchObject({ kind: 'Upgrade', from: '1.0.0', to: '1.0.0' });
  expect(phases(other)).toEqual(['Preflight', 'Rolling', 'Verifying']);
});

test('back inside the window is a Rollback without SQL', () => {
  const given = input('1.0.0', serving('1.1.0', 2, 1));
  expect(planUpgrade(given)).toMatchObject({ kind: 'Rollback', from: '1.1.0', to: '1.0.0' });
  expect(phases(given)).toEqual(['Preflight', 'Rolling', 'Verifying']);
});

test('back from a plan that was not finished is a Rollback from it, on from it an upgrade of what served', () => {
  const broken = {
    ...record('1.1.0'),
    plan: planUpgrade(input('1.1.0', serving('1.0.0', 1, 1))),
    verifiedAt: undefined,
  };
  const found = { ...database(2, 1), running: deployed('1.1.0'), record: broken };
  expect(planUpgrade(input('1.0.0', found))).toMatchObject({ kind: 'Rollback', from: '1.1.0' });
  expect(planUpgrade(input('1.0.1', found))).toMatchObject({ kind: 'Upgrade', from: '1.0.0' });
});

test('an older version on a database that has gone back too is an upgrade: it needs migrations', () => {
  const given = input('1.1.0', { ...serving('1.2.0', 1, 1), running: deployed('1.2.0') });
  expect(planUpgrade(given).kind).toBe('Upgrade');
  expect(phases(given)).toContain('Expanding');
});

const refusals = [
  { to: '1.0.0', found: serving('1.1.0', 2, 2), reason: 'RollbackUnsafe', says: 'oldest version that fits is 1.1.0' },
  { to: '1.2.0', found: serving('1.0.0', 1, 1), reason: 'UpgradePathUnsupported', says: 'set spec.version to 1.1.0' },
  { to: '9.9.9', found: {}, reason: 'VersionUnknown', says: '1.0.0, 1.0.1, 1.1.0, 1.2.0, 2.0.0' },
  { to: '2.0.0', found: {}, reason: 'OperatorTooOld', says: 'from 2.0.0 on' },
];

test.for(refusals)('$to is refused with $reason, which says the way out', ({ to, found, reason, says }) => {
  const plan = planUpgrade(input(to, found));
  expect(plan).toMatchObject({ refusal: { reason }, steps: [] });
  expect(plan.refusal?.message).toContain(says);
});

test('an accepted plan stays as it is while the database moves, unless the database has closed to it', () => {
  const before = planUpgrade(input('1.1.0', serving('1.0.0', 1, 1)));
  const accepted = { plan: before, acceptedAt: 1, goodSince: undefined, verifiedAt: undefined };
  const during = { ...database(2, 1), running: deployed('1.1.0'), record: accepted };
  expect(planUpgrade(input('1.1.0', during))).toEqual(before);
  const closed = planUpgrade(input('1.1.0', { ...during, schema: { schemaVersion: 3, compatVersion: 3 } }));
  expect(closed).toMatchObject({ id: before.id, refusal: { reason: 'RollbackUnsafe' } });
});

test('the id changes with the image, the schema, the migrations and the plan before, and with nothing else', () => {
  const given = input('1.1.0', serving('1.0.0', 1, 1));
  const { id } = planUpgrade(given);
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  expect(planUpgrade({ ...given, running: undefined, operatorVersion: '1.3.0' }).id).toBe(id);
  expect(planUpgrade({ ...given, record: record('1.0.0', { goodSince: 8, verifiedAt: 9 }) }).id).toBe(id);
  const others = [
    { ...given, wanted: { ...given.wanted, image: 'image@sha256:2' } },
    { ...given, schema: { schemaVersion: 2, compatVersion: 1 } },
    { ...given, applied: [...given.applied, '0002-expand.sql'] },
    { ...given, record: record('1.0.0', { plan: { ...record('1.0.0').plan, id: '0123456789ab' } }) },
  ];
  for (const other of others) expect(planUpgrade(other).id).not.toBe(id);
});

test('however often it goes up and down between two versions, each plan that was accepted has an id of its own', () => {
  const ids = new Set<string>();
  let accepted = record('1.0.0').plan;
  for (let turn = 0; turn < 6; turn += 1) {
    const found = { ...database(2, 1), running: deployed(accepted.to), record: record('1.0.0', { plan: accepted }) };
    accepted = planUpgrade(input(turn % 2 === 0 ? '1.1.0' : '1.0.0', found));
    ids.add(accepted.id);
  }
  expect(ids.size).toBe(6);
});

const anyInput = fc
  .record({
    to: fc.constantFrom('1.0.0', '1.0.1', '1.1.0', '1.2.0', '2.0.0', '9.9.9'),
    at: fc.option(fc.constantFrom('1.0.0', '1.0.1', '1.1.0', '1.2.0'), { nil: undefined }),
    levels: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })),
    verified: fc.boolean(),
  })
  .map(({ to, at, levels: [one, two], verified }) => {
    const [level, compat] = [Math.max(1, one, two), Math.max(1, Math.min(one, two))];
    if (at === undefined) return input(to);
    const remembered = record(at, verified ? {} : { verifiedAt: undefined });
    return input(to, { ...database(level, compat), running: deployed(at), record: remembered });
  });

test('the same inputs give the same plan, and no plan lets a program serve that the database is not open to', () => {
  fc.assert(
    fc.property(anyInput, (given) => {
      const plan = planUpgrade(given);
      expect(planUpgrade(structuredClone(given))).toEqual(plan);
      if (plan.refusal !== undefined) return;
      const { schemaLevel = 0 } = catalogue.versions[plan.to] ?? {};
      expect(schemaLevel).toBeGreaterThanOrEqual(given.schema?.compatVersion ?? 0);
      const order = plan.steps.map(({ phase }) => phase);
      const expands = order.includes('Expanding') && order.indexOf('Expanding') < order.indexOf('Rolling');
      if ((given.schema?.schemaVersion ?? 0) < schemaLevel && given.record?.plan.to !== plan.to)
        expect(expands).toBe(true);
      expect(order.includes('Contracting')).toBe(order.includes('Soaking'));
    }),
    { numRuns: 500 },
  );
});

test('the catalogue names a newer version only if there is one', () => {
  expect(newerThan(catalogue, '1.1.0')).toBe('2.0.0');
  expect(newerThan(catalogue, '2.0.0')).toBeUndefined();
});

test('where there is no way back but a restore, the newest backup that the version can read is named', () => {
  const backup = (id: string, schemaVersion: number) => ({
    id,
    place: 's3://bucket/',
    version: `1.${schemaVersion - 1}.0`,
    schemaVersion,
    takenAt: Date.UTC(2026, 10, 28, 2, 15),
  });
  const contracted = serving('1.2.0', 3, 3);
  const backups = [backup('newest', 3), backup('before', 2), backup('older', 2), backup('oldest', 1)];
  const messageOf = (version: string) =>
    planUpgrade(input(version, { ...contracted, backups })).refusal?.message ?? 'not refused';
  expect(messageOf('1.1.0')).toContain(
    'the oldest version that fits is 1.2.0, or restore backup before (s3://bucket/, 2026-11-28T02:15:00Z, by version 1.1.0) into',
  );
  expect(messageOf('1.0.0')).toContain('restore backup oldest');
  expect(planUpgrade(input('1.0.0', contracted)).refusal?.message).toContain(
    'restore a backup from before into another',
  );
});
