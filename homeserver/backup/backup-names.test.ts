import { expect, test } from 'vitest';
import { backupIdIn, newBackupId, parseBackupId, timeOf } from './backup-names.ts';

test('ids sort by time, to the millisecond', () => {
  const at = Date.UTC(2026, 10, 28, 2, 15, 0);
  const high = Buffer.from('ffffffff', 'hex');
  const ids = [0, 9, 10, 255, 999, 1000].map((ms) => newBackupId(new Date(at + ms), high));
  expect([...ids].sort((a, b) => (a < b ? -1 : 1))).toEqual(ids);
  expect(ids[0]).toBe('20261128T021500Z-000fffffff');
  expect(ids.map(timeOf)).toEqual([at, at, at, at, at, at + 1000]);
});

test('an id is recognised in names, what is none is refused', () => {
  expect(backupIdIn('a/manifest/20261128T021500Z-000fffffff.json', 'a/manifest/')).toBe('20261128T021500Z-000fffffff');
  expect(backupIdIn('a/data/20261128T021500Z-000fffffff/', 'a/data/')).toBe('20261128T021500Z-000fffffff');
  expect(backupIdIn('a/data/lost+found/', 'a/data/')).toBeUndefined();
  expect(() => parseBackupId('../20261128T021500Z-000fffffff')).toThrow('must look like');
});
