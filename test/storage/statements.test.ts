import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const FOLDER = join(import.meta.dirname, '..', '..', 'homeserver', 'storage');

/** Every `{ name: '...', text: CONSTANT` of the folder, as [name, file and constant]. */
async function statements(): Promise<[name: string, text: string][]> {
  const files = (await readdir(FOLDER, { recursive: true })).filter((file) => /(?<!\.test)\.ts$/.test(file));
  const found = await Promise.all(
    files.map(async (file) => {
      const source = await readFile(join(FOLDER, file), 'utf8');
      const matches = source.matchAll(/\bname: '([^']+)',\s*text(?:: (\w+|['"`]))?/g);
      return [...matches].map((match): [string, string] => [match[1] ?? '', `${file} ${match[2] ?? 'text'}`]);
    }),
  );
  return found.flat();
}

test('one name stands for one text, in lower case and not longer than PostgreSQL keeps', async () => {
  const found = await statements();
  expect(found.length).toBeGreaterThan(50);
  expect(found.map(([name]) => name).filter((name) => !/^[a-z][a-z0-9_]{2,62}$/.test(name))).toEqual([]);
  const texts = new Map<string, Set<string>>();
  for (const [name, text] of found) texts.set(name, (texts.get(name) ?? new Set()).add(text));
  expect([...texts].filter(([, several]) => several.size > 1).map(([name]) => name)).toEqual([]);
});
