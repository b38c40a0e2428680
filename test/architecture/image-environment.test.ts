import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { imageEnvironment } from '../support/image-environment.ts';

const Package = z.object({ scripts: z.record(z.string(), z.string()) });

test.for(['dev', 'homeserver'])('npm run %s sets what the image sets', async (name) => {
  const file = new URL('../../package.json', import.meta.url);
  const { scripts } = Package.parse(JSON.parse(await readFile(file, 'utf8')));
  const { MALLOC_ARENA_MAX, NODE_OPTIONS } = imageEnvironment();
  const settings = [`MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX}`, `NODE_OPTIONS=${NODE_OPTIONS}`];
  expect(scripts[name]?.split(' ')).toEqual(expect.arrayContaining(settings));
});
