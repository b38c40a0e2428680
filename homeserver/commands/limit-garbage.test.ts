import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { imageEnvironment } from '../../test/support/image-environment.ts';

const garbage = new URL('limit-garbage.ts', import.meta.url).href;

/**
 * Has much at once, then goes on with little until memory is given back or 20 s are over; prints resident memory of both, in MB. The
 * little lives for a while, as what answers are made of does: what dies young would never have old objects collected.
 */
const PROGRAM = `
const { limitGarbage, giveBackMemory } = await import(${JSON.stringify(garbage)});
limitGarbage();
giveBackMemory(100);
const rss = () => process.memoryUsage.rss() / 1e6;
let kept = Array.from({ length: 1_500_000 }, (_, i) => ({ i, text: 'text ' + i }));
const most = rss();
kept = [];
const end = Date.now() + 20_000;
while (rss() > most / 2 && Date.now() < end) {
  kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i, text: 'text ' + i })));
  if (kept.length > 20) kept.shift();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log(most, rss());`;

test('the memory of a burst is given back while the process goes on', async () => {
  const args = ['--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: imageEnvironment() });
  const [most = 0, after = 0] = stdout.split(' ').map(Number);
  expect(most).toBeGreaterThan(200);
  expect(after).toBeLessThan(most / 2);
});
