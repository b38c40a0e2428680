import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { API_VERSION, KIND } from '../../operator/api/matrix-homeserver.ts';
import { Status } from '../../operator/api/status.ts';
import { allConditions } from '../../operator/conditions/all-conditions.ts';
import { mergeConditions } from '../../operator/conditions/merge.ts';
import type { Observed } from '../../operator/conditions/observed.ts';
import { paused } from '../../operator/conditions/paused.ts';
import { observed } from '../support/observed.ts';
import { healthOf } from './gitops/health-program.ts';

const NOW = '2026-11-01T00:00:00Z';

const example = (path: string): unknown =>
  parse(readFileSync(join(import.meta.dirname, '..', '..', 'examples', path), 'utf8'));

const ArgoSettings = z.object({ data: z.record(z.string(), z.string()) });
const FluxKustomization = z.object({
  spec: z.object({ healthCheckExprs: z.array(z.looseObject({ kind: z.string() })) }),
});

function script(): string {
  const { data } = ArgoSettings.parse(example('argo-cd/argocd-cm.yaml'));
  return data[`resource.customizations.health.matrix-operator.dev_${KIND}`] ?? '';
}

function expressions(): Record<string, string> {
  const { spec } = FluxKustomization.parse(example('flux/kustomization.yaml'));
  const { kind, apiVersion, ...rest } = spec.healthCheckExprs[0] ?? expect.fail('no expressions');
  expect({ kind, apiVersion }).toEqual({ kind: KIND, apiVersion: API_VERSION });
  return z.record(z.string(), z.string()).parse(rest);
}

/** A resource of generation 2 whose operator has worked on `generation`. */
function seen(what: Observed, generation = 2, isPaused = false): unknown {
  const results = allConditions(what).map((one) => (one.type === 'Paused' ? paused(isPaused) : one));
  const conditions = mergeConditions([], results, { generation, now: NOW });
  return resource({ observedGeneration: generation, conditions });
}

function resource(status: unknown): unknown {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: 'chat', namespace: 'chat', generation: 2 },
    spec: { serverName: 'example.org' },
    status,
  };
}

const OBJECTS = {
  fresh: resource(Status.parse(undefined)),
  rolling: seen(observed({ verify: { state: 'waiting', reason: 'Rolling', message: '1 of 2 replicas are new' } })),
  approval: seen(observed({ schema: { state: 'waiting', reason: 'AwaitingApproval', message: 'plan 7c19e0b2d4aa' } })),
  failing: seen(observed({ database: { state: 'waiting', reason: 'DatabaseUnreachable', message: 'no route' } })),
  stalled: seen(observed({ keys: { state: 'blocked', reason: 'KeyLost', message: 'restore the Secret' } })),
  ready: seen(observed({})),
  stale: seen(observed({}), 1),
  paused: seen(observed({}), 2, true),
};

test('Argo CD, Flux and kstatus read from the status what it means', async () => {
  const verdicts = await healthOf({ lua: script(), cel: expressions(), objects: OBJECTS });
  expect(verdicts).toEqual({
    fresh: { argo: 'Progressing', flux: 'InProgress', kstatus: 'InProgress' },
    rolling: { argo: 'Progressing', flux: 'InProgress', kstatus: 'InProgress' },
    approval: { argo: 'Suspended', flux: 'InProgress', kstatus: 'InProgress' },
    failing: { argo: 'Progressing', flux: 'InProgress', kstatus: 'InProgress' },
    stalled: { argo: 'Degraded', flux: 'Failed', kstatus: 'Failed' },
    ready: { argo: 'Healthy', flux: 'Current', kstatus: 'Current' },
    stale: { argo: 'Progressing', flux: 'InProgress', kstatus: 'InProgress' },
    paused: { argo: 'Suspended', flux: 'Current', kstatus: 'Current' },
  });
});
