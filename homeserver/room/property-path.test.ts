import { expect, test } from 'vitest';
import { parsePropertyPath, propertyAt } from './property-path.ts';

const paths = [
  { path: 'type', names: ['type'] },
  { path: 'content.body', names: ['content', 'body'] },
  { path: 'content.m\\.relates_to.rel_type', names: ['content', 'm.relates_to', 'rel_type'] },
  { path: 'content.m\\\\foo', names: ['content', 'm\\foo'] },
  { path: 'content.\\x', names: ['content', '\\x'] },
  { path: 'content\\', names: ['content\\'] },
  { path: '', names: [''] },
  { path: 'a..b', names: ['a', '', 'b'] },
];

test.for(paths)('the path $path names $names', ({ path, names }) => {
  expect(parsePropertyPath(path)).toEqual(names);
});

test('a path leads through own members of objects only', () => {
  const event = { content: { list: [1], deep: { value: null } } };
  expect(propertyAt(event, ['content', 'deep', 'value'])).toBeNull();
  expect(propertyAt(event, ['content', 'list', '0'])).toBeUndefined();
  expect(propertyAt(event, ['content', 'constructor'])).toBeUndefined();
  expect(propertyAt(event, ['content', 'deep', 'value', 'more'])).toBeUndefined();
});
