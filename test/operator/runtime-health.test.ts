import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics } from '../../operator/metrics.ts';
import type { HealthServer } from '../../operator/runtime/health.ts';
import { startHealthServer } from '../../operator/runtime/health.ts';

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

test('a port in use is an error', async () => {
  const never = () => [];
  const options = { host: '127.0.0.1', port: server.port, live: never, ready: never };
  await expect(startHealthServer({ ...options, metrics: () => Promise.reject(new Error()) })).rejects.toThrow(
    'EADDRINUSE',
  );
});
