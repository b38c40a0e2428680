import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonMembers, jsonString } from './json-members.ts';

const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 8 });

test('members of any object are the ones that JSON.parse finds, whatever the spacing', () => {
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      const text = JSON.stringify(value, undefined, space);
      const found = [...jsonMembers(text)].map(([key, member]): [string, unknown] => [key, JSON.parse(member)]);
      expect(Object.fromEntries(found)).toEqual(JSON.parse(text));
    }),
  );
});

test('a string value is read with its escapes', () => {
  expect(jsonString('"a\\u00e9\\n"')).toBe('aé\n');
  expect(jsonString('5')).toBeUndefined();
  expect(jsonString(undefined)).toBeUndefined();
});
