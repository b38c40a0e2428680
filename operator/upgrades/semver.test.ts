import { expect, test } from 'vitest';
import { compareVersions, isNewerMinor } from './semver.ts';

test('versions sort by number, a pre-release before its release', () => {
  const sorted = [
    '0.9.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-rc.2',
    '1.0.0-rc.10',
    '1.0.0',
    '1.0.10',
  ];
  expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
});

test('a patch is no newer minor', () => {
  expect(isNewerMinor('1.2.9', '1.2.0')).toBe(false);
  expect(isNewerMinor('1.3.0', '1.2.9')).toBe(true);
  expect(isNewerMinor('2.0.0', '1.9.0')).toBe(true);
  expect(isNewerMinor('1.9.0', '2.0.0')).toBe(false);
});
