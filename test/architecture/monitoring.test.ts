import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { Caches } from '../../homeserver/caches.ts';
import { collectProcessMetrics, createMetrics as homeserverMetrics } from '../../homeserver/metrics.ts';
import { createMetrics as operatorMetrics } from '../../operator/metrics.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILES = 'charts/matrix-operator/files';
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['warning', 'critical']) }),
          annotations: z.object({ summary: z.string().min(1), description: z.string().min(1) }),
        }),
      ),
    }),
  ),
});
const Dashboard = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).min(1) })).min(1),
});

const alerts = Rules.parse(parse(read(`${FILES}/rules.yaml`))).groups.flatMap(({ rules }) => rules);
const dashboards = globSync(`${FILES}/dashboard-*.json`, { cwd: ROOT });
const queries = dashboards.flatMap((file) =>
  Dashboard.parse(JSON.parse(read(file))).panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
);

/** Names of every series that the two programs give, histograms with their parts. */
async function seriesNames(): Promise<Set<string>> {
  const homeserver = homeserverMetrics(new Caches());
  collectProcessMetrics(homeserver);
  const found = await Promise.all(
    [homeserver.registry, operatorMetrics().registry].map((registry) => registry.getMetricsAsJSON()),
  );
  const names = found.flat().flatMap(({ name }) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]);
  return new Set(names);
}

const namesIn = (expr: string) => expr.match(/\bmatrix_(?:operator|homeserver)_\w+/g) ?? [];

test('alerts and dashboards ask only for series that the programs give', async () => {
  const known = await seriesNames();
  const asked = [...alerts.map(({ expr }) => expr), ...queries].flatMap(namesIn);
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});

test('each alert has a page that says what it means and what to do, and no page is left over', () => {
  const pages = globSync('docs/runbooks/*.md', { cwd: ROOT }).map((path) => path.replace(/^.*\/|\.md$/g, ''));
  expect(new Set(pages)).toEqual(new Set(alerts.map(({ alert }) => alert)));
  for (const { alert } of alerts) {
    const page = read(`docs/runbooks/${alert}.md`);
    for (const part of [`# ${alert}`, '## What it means', '## What it does to users', '## What to do'])
      expect(page).toContain(part);
    const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.filter((link) => !existsSync(join(ROOT, 'docs/runbooks', link)))).toEqual([]);
  }
});

test('each alert has a case that raises it', () => {
  const cases = read('test/operator/alerts/rules.test.yaml');
  expect(alerts.filter(({ alert }) => !cases.includes(`'{alertname="${alert}"}'`)).map(({ alert }) => alert)).toEqual(
    [],
  );
});
