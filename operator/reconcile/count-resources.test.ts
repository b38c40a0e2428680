import { expect, test } from 'vitest';
import { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import { createMetrics } from '../metrics.ts';
import { countResources } from './count-resources.ts';

function copy(name: string, ready: string, upgrade: object = {}) {
  const at = '2026-11-01T00:00:00Z';
  const conditions = [
    { type: 'Ready', status: 'False', reason: ready, message: '', lastTransitionTime: at },
    { type: 'Available', status: 'True', reason: 'Serving', message: '', lastTransitionTime: at },
    { type: 'BackupReady', status: 'False', reason: 'DrillFailed', message: '', lastTransitionTime: at },
  ];
  const resource = MatrixHomeserver.parse({
    metadata: { name, namespace: 'n', uid: name, resourceVersion: '1' },
    spec: { serverName: 'example.org', database: { existing: { secretRef: { name: 'db' } } } },
    status: { conditions, upgrade },
  });
  return { key: `n/${name}`, resource, fault: '' };
}

test('resources are counted by reason and class, anew each time', async () => {
  const metrics = createMetrics();
  countResources(metrics, [copy('a', 'KeyLost'), copy('b', 'Rolling'), copy('c', 'KeyLost')]);
  countResources(metrics, [copy('a', 'KeyLost'), copy('b', 'Madeup')]);
  const { values } = await metrics.resources.get();
  expect(values.map(({ labels, value }) => ({ ...labels, value }))).toEqual([
    { reason: 'KeyLost', class: 'user', value: 1 },
    { reason: 'Madeup', class: 'unknown', value: 1 },
  ]);
  const conditions = await metrics.conditions.get();
  expect(conditions.values).toContainEqual({ labels: { type: 'Available', status: 'True' }, value: 2 });
  expect((await metrics.backups.get()).values).toEqual([{ labels: { reason: 'DrillFailed' }, value: 2 }]);
});

test('of migrations the least advanced counts, by phase; when they are over there is no row', async () => {
  const metrics = createMetrics();
  const progress = (phase: string, percent: number) => ({ phase, progress: { phase, percent } });
  const rows = async () => (await metrics.migrationPercent.get()).values.map(({ labels, value }) => [labels, value]);
  countResources(metrics, [
    copy('a', 'Migrating', progress('Expanding', 40)),
    copy('b', 'Migrating', progress('Expanding', 7)),
    copy('c', 'Serving', progress('Contracting', 50)),
    copy('d', 'Serving'),
  ]);
  expect(await rows()).toEqual([
    [{ phase: 'Expanding' }, 7],
    [{ phase: 'Contracting' }, 50],
  ]);
  countResources(metrics, [copy('a', 'Serving', { phase: 'Soaking' })]);
  expect(await rows()).toEqual([]);
});
