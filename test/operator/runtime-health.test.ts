import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { createMetrics } from '../../operator/metrics.ts';
import type { HealthServer } from '../../operator/runtime/health.ts';
import { cpuProfile } from '../../operator/runtime/cpu-profile.ts';
import { startHealthServer } from '../../operator/runtime/health.ts';

const Profile = z.looseObject({ nodes: z.array(z.looseObject({})), startTime: z.number(), endTime: z.number() });
const sortedNumbers = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

const metrics = createMetrics();
const problems = { live: [] as string[], ready: ['the cache of Deployment is not filled'] };
let server: HealthServer;

beforeAll(async () => {
  server = await startHealthServer({
    host: '127.0.0.1',
    port: 0,
    live: () => problems.live,
    ready: () => problems.ready,
    metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
  });
});
afterAll(() => server.close());

async function get(path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: answer.status, text: await answer.text() };
}

test('what is healthy answers 200, what is not 503 with the reason', async () => {
  expect(await get('/livez')).toEqual({ status: 200, text: 'ok\n' });
  expect(await get('/readyz?verbose')).toEqual({ status: 503, text: 'the cache of Deployment is not filled\n' });
  problems.ready = [];
  expect(await get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
  expect((await get('/')).status).toBe(404);
});

test('metrics carry their prefix and closed labels', async () => {
  metrics.writes.inc({ kind: 'Deployment' });
  expect((await get('/metrics')).text).toContain('matrix_operator_writes_total{kind="Deployment"} 1');
});

test('a CPU profile is given only where that is allowed, one at a time and not for long', async () => {
  expect((await get('/debug/profile?seconds=0.1')).status).toBe(404);
  const open = await startHealthServer({
    host: '127.0.0.1',
    port: 0,
    live: () => [],
    ready: () => [],
    metrics: () => Promise.reject(new Error('not asked for')),
    profile: cpuProfile,
  });
  const ask = (query: string) => fetch(`http://127.0.0.1:${open.port}/debug/profile${query}`);
  try {
    for (const query of ['?seconds=61', '?seconds=0', '?seconds=x']) expect((await ask(query)).status).toBe(400);
    const answers = await Promise.all([ask('?seconds=0.5'), ask('?seconds=0.5')]);
    expect(sortedNumbers(answers.map(({ status }) => status))).toEqual([200, 503]);
    const profile: unknown = await answers.find(({ status }) => status === 200)?.json();
    expect(Profile.parse(profile).nodes.length).toBeGreaterThan(0);
    expect((await ask('?seconds=0.01')).status).toBe(200);
  } finally {
    await open.close();
  }
});

test('a port in use is an error', async () => {
  const never = () => [];
  const options = { host: '127.0.0.1', port: server.port, live: never, ready: never };
  await expect(startHealthServer({ ...options, metrics: () => Promise.reject(new Error()) })).rejects.toThrow(
    'EADDRINUSE',
  );
});
