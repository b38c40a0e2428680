import { expect, test } from 'vitest';
import { parseMigration } from './migration-files.ts';
import { type FoundSchema, planMigration } from './plan-migration.ts';

const one = parseMigration('0001-one.sql', '-- expand. One.\nselect 1;\n');
const two = parseMigration('0002-two.sql', '-- contract. Two.\nselect 2;\n');
const wanted = { level: 2, compatLevel: 2, serverName: 'a.example', files: [one, two] };

function found(state: Partial<NonNullable<FoundSchema['state']>>, applied: FoundSchema['applied']): FoundSchema {
  return { state: { schemaVersion: 1, compatVersion: 1, serverName: 'a.example', ...state }, applied };
}

test('an empty database needs everything', () => {
  const planned = planMigration(wanted, { state: undefined, applied: [] });
  expect(planned).toMatchObject({ ok: true, plan: { schemaVersion: null, contractRaisesCompat: false } });
  expect(planned.ok && planned.plan.pending).toEqual([
    { name: '0001-one.sql', phase: 'expand' },
    { name: '0002-two.sql', phase: 'contract' },
  ]);
});

test('what has been applied is not planned again', () => {
  const planned = planMigration(wanted, found({}, [one]));
  expect(planned).toMatchObject({ ok: true, plan: { targetSchemaVersion: 2, contractRaisesCompat: true } });
  expect(planned.ok && planned.plan.pending.map((file) => file.name)).toEqual(['0002-two.sql']);
});

test('an older program on an expanded database plans nothing and lowers nothing', () => {
  const older = { ...wanted, level: 1, compatLevel: 1, files: [one] };
  const planned = planMigration(older, found({ schemaVersion: 2 }, [one, two]));
  expect(planned).toMatchObject({ ok: true, plan: { pending: [], targetSchemaVersion: 2 } });
});

test.for([
  { name: 'a database of another server', given: found({ serverName: 'b.example' }, []), exitCode: 12 },
  { name: 'a database closed to this level', given: found({ schemaVersion: 3, compatVersion: 3 }, []), exitCode: 11 },
  { name: 'an edited file', given: found({}, [{ ...one, checksum: 'x' }]), exitCode: 11 },
  {
    name: 'a file that this program lost',
    given: found({}, [one, { name: '0000-gone.sql', checksum: 'x' }]),
    exitCode: 11,
  },
])('$name is refused', ({ given, exitCode }) => {
  expect(planMigration(wanted, given)).toMatchObject({ ok: false, exitCode });
});

test.for([
  { name: 'Bad.sql', text: '-- expand. x\n' },
  { name: '1-short.sql', text: '-- expand. x\n' },
  { name: '0001-no-phase.sql', text: 'select 1;\n' },
  { name: '0001-two.sql', text: '-- batches over rooms\n-- expand. x\nselect 1;\nselect 2;\n' },
])('a file $name with a wrong name or head is refused', ({ name, text }) => {
  expect(() => parseMigration(name, text)).toThrow(`migration ${name}`);
});

test('without a transaction a file falls into its statements, comments alone are none', () => {
  const text = '-- no transaction\n-- expand. x\nselect 1;\nselect\n  2;\n-- the end;\n';
  const { statements, mode } = parseMigration('0003-three.sql', text);
  expect(mode).toBe('alone');
  expect(statements.map((statement) => statement.replace(/^--.*\n/gm, '').trim())).toEqual(['select 1', 'select\n  2']);
});
