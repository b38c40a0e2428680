import { expect, inject, test } from 'vitest';
import * as z from 'zod';
import { kubectlMatrix } from '../support/kubectl-matrix.ts';
import type { PluginOptions } from '../support/kubectl-matrix.ts';
import { NAME, NAMESPACE } from './support/quickstart.ts';
import { logIn } from './support/session.ts';
import { cluster } from './support/setup.ts';

async function matrix(args: readonly string[], more: Partial<PluginOptions> = {}) {
  const { kubeconfigPath, contextName } = await cluster();
  const where = ['-n', NAMESPACE, '--context', contextName];
  return kubectlMatrix([...args, ...where], { kubeconfig: kubeconfigPath, ...more });
}

const unique = (name: string) => `${name}${Date.now().toString(36)}`;

test('an account that create-user makes can log in, with a password that was made or given; a name is taken once', async () => {
  const { url } = inject('started');
  const made = await matrix(['create-user', NAME, unique('made'), '-o', 'json']);
  expect(made).toMatchObject({ code: 0, err: '' });
  const account = z.object({ userId: z.string(), password: z.string() }).parse(JSON.parse(made.out));
  expect(await logIn(url, account.userId, account.password)).not.toBe('');

  const name = unique('given');
  const given = await matrix(['create-user', NAME, name, '--password-stdin'], { input: 'a password of my own\n' });
  expect(given).toMatchObject({ code: 0, out: `@${name}:quickstart.localhost\n` });
  expect(await logIn(url, given.out.trim(), 'a password of my own')).not.toBe('');

  const again = await matrix(['create-user', NAME, name]);
  expect(again).toMatchObject({ code: 1, out: '' });
  expect(again.err).toContain('taken');
  const short = await matrix(['create-user', NAME, unique('short'), '--password-stdin'], { input: 'x\n' });
  expect(short.err).toContain('too short');
});

test('verify runs as a Job and shows its report, also to scripts', async () => {
  const verified = await matrix(['verify', NAME, '--sample', '50', '-o', 'json']);
  expect(verified.code).toBe(0);
  const report = z.looseObject({ whole: z.boolean(), checks: z.array(z.looseObject({ name: z.string() })) });
  const { whole, checks } = report.parse(JSON.parse(verified.out));
  expect([whole, checks.length > 5]).toEqual([true, true]);
});

test('logs of all replicas come by time, and go on until they are interrupted', async () => {
  const lines = await matrix(['logs', NAME, '--since', '1d', '-o', 'json']);
  const Line = z.object({ pod: z.string(), time: z.string(), line: z.string() });
  const times = lines.out
    .trim()
    .split('\n')
    .map((line) => Line.parse(JSON.parse(line)).time);
  expect(times.length).toBeGreaterThan(0);
  expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));

  const interrupt = new AbortController();
  const followed = await matrix(['logs', NAME, '--follow', '--tail', '1'], {
    interrupted: interrupt.signal,
    onOutput: () => interrupt.abort(),
  });
  expect(followed.code).toBe(0);
  expect(followed.out).toMatch(/^quickstart-\S+ \d{4}-\d\d-\d\dT/);
});
