import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { imageEnvironment } from '../support/image-environment.ts';

const passwords = new URL('../../homeserver/accounts/passwords.ts', import.meta.url).href;

/** Hashes many passwords at once and prints how much more resident memory there is afterwards, in MB. */
const PROGRAM = `
const { hashPassword } = await import(${JSON.stringify(passwords)});
await hashPassword('first');
const before = process.memoryUsage.rss();
await Promise.all(Array.from({ length: 24 }, (_, i) => hashPassword('password ' + i)));
console.log((process.memoryUsage.rss() - before) / 1e6);`;

test('in the environment of the image, memory that passwords were hashed in is given back or used again', async () => {
  const args = ['--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: imageEnvironment() });
  // 19 MiB a hash: without that environment 140 MB stay.
  expect(Number(stdout)).toBeLessThan(45);
});
