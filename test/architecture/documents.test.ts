import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const scripts = z
  .looseObject({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json'))).scripts;

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md'];

test.for(DOCUMENTS)('every path that %s mentions is there', (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '');
  const code = [
    ...read(document).matchAll(/`((?:homeserver|operator|crds|charts|test|docs|examples)\/[^`\s<]*)`/g),
  ].map((match) => match[1] ?? '');
  const concrete = [...links, ...code].filter((path) => !/[<*N]/.test(path));
  expect(concrete.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test.for(DOCUMENTS)('every npm script that %s names is there', (document) => {
  const named = [...read(document).matchAll(/npm run ([a-z0-9:]+)/g)].map((match) => match[1] ?? '');
  expect(named.filter((name) => !name.endsWith(':') && scripts[name] === undefined)).toEqual([]);
});

test('README shows the quickstart resource as it is', () => {
  expect(read('README.md')).toContain(`\`\`\`yaml\n${read('examples/quickstart/homeserver.yaml')}\`\`\``);
});

test('the quickstart resource has at most ten lines', () => {
  expect(read('examples/quickstart/homeserver.yaml').trimEnd().split('\n').length).toBeLessThanOrEqual(10);
});

test('every decision record has its four parts', () => {
  const records = ['0001-language-runtime', '0002-sequencer', '0003-cluster-harness', '0004-image'];
  for (const record of records) {
    const text = read(`docs/decisions/${record}.md`);
    for (const part of ['Context', 'Options', 'Decision', 'Consequences'])
      expect(text).toMatch(new RegExp(`^## ${part}`, 'm'));
  }
});
