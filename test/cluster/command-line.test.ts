import { expect, test } from 'vitest';
import { parseCommandLine, UsageError } from './command-line.ts';

test('a verb alone means the default cluster', () => {
  expect(parseCommandLine(['up'])).toMatchObject({ verb: 'up', instance: 'matrix-operator', provider: undefined });
});

test('options may stand before or after the verb', () => {
  const expected = { verb: 'down', instance: 'two', provider: 'local' };
  expect(parseCommandLine(['--instance', 'two', 'down', '--provider=local'])).toMatchObject(expected);
});

test('help is wanted whatever else is said', () => {
  expect(parseCommandLine(['up', '--help'])).toBeUndefined();
});

const wrong = [
  { name: 'no verb is refused', args: [] },
  { name: 'an unknown verb is refused', args: ['fly'] },
  { name: 'a name that objects inherit is no verb', args: ['constructor'] },
  { name: 'two verbs are refused', args: ['up', 'down'] },
  { name: 'an unknown option is refused', args: ['up', '--fast'] },
  { name: 'an option without its value is refused', args: ['up', '--instance'] },
];

test.for(wrong)('$name', ({ args }) => {
  expect(() => parseCommandLine(args)).toThrow(UsageError);
});
