import type { Gate, GateReport, Observed } from '../../operator/conditions/observed.ts';

export const ok: GateReport = { state: 'done', message: '' };

/** What is observed of a resource of two replicas with which all is well, but for the given parts. */
export function observed(gates: Partial<Record<Gate, GateReport>>, more: Partial<Observed> = {}): Observed {
  const all = {
    resolve: ok,
    secrets: ok,
    database: ok,
    keys: ok,
    schema: ok,
    workload: ok,
    verify: ok,
    exposure: ok,
    integrations: ok,
    ...gates,
  };
  const federation = { state: 'pending' } as const;
  const pods = { replicas: 2, readyReplicas: 2, version: '1.0.0', versions: undefined };
  return { ...pods, gates: all, overdue: false, federation, backup: undefined, media: undefined, ...more };
}
