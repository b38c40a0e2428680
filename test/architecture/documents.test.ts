import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const scripts = z
  .looseObject({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json'))).scripts;

const DOCUMENTS = globSync(['*.md', '{docs,examples,test,charts,crds}/**/*.md'], { cwd: ROOT });

/** Paths from the root of the repository, as they stand in code marks. */
const PATHS = /`((?:homeserver|operator|crds|charts|test|docs|examples)\/[^`\s<]*)`/g;

test.for(DOCUMENTS)('every path that %s mentions is there', (document) => {
  const text = read(document);
  const links = [...text.matchAll(/\]\((?![a-z]+:)([^)#]+)/g)].map((match) => join(dirname(document), match[1] ?? ''));
  const code = [...text.matchAll(PATHS)].map((match) => match[1] ?? '');
  const concrete = [...links, ...code].filter((path) => !/[<*N…]|:/.test(path));
  expect(concrete.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test.for(DOCUMENTS)('every npm script that %s names is there', (document) => {
  const named = [...read(document).matchAll(/npm run ([a-z0-9:-]+)/g)].map((match) => match[1] ?? '');
  expect(named.filter((name) => !name.endsWith(':') && scripts[name] === undefined)).toEqual([]);
});

test('README shows the quickstart resource as it is', () => {
  expect(read('README.md')).toContain(`\`\`\`yaml\n${read('examples/quickstart/homeserver.yaml')}\`\`\``);
});

test('the quickstart resource has at most ten lines', () => {
  expect(read('examples/quickstart/homeserver.yaml').trimEnd().split('\n').length).toBeLessThanOrEqual(10);
});

test.for(globSync('docs/decisions/*.md', { cwd: ROOT }))('%s has a number of its own and four parts', (record) => {
  const text = read(record);
  const number = /(\d{4})-[a-z0-9-]+\.md$/.exec(record)?.[1] ?? '';
  expect(text).toMatch(new RegExp(`^# ${Number(number)}\\. `));
  expect(globSync(`docs/decisions/${number}-*.md`, { cwd: ROOT })).toEqual([record]);
  for (const part of ['Context', 'Options', 'Decision', 'Consequences'])
    expect(text).toMatch(new RegExp(`^## ${part}`, 'm'));
});
