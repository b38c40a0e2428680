import * as z from 'zod';
import { openObject, textMap } from './fields.ts';

const peers = (what: string) => z.array(openObject('A peer as in a NetworkPolicy.')).max(32).describe(what).optional();

/** `spec.networkPolicy`. */
export const NetworkPolicySpec = z
  .object({
    mode: z
      .enum(['Managed', 'Off'])
      .default('Managed')
      .describe('Managed: a NetworkPolicy for the replicas; Off (in YAML with quotes: "Off"): none.'),
    ingressFrom: peers('Who may reach the client and federation API. Without it everybody.'),
    metricsFrom: peers('Who may read metrics. Without it every pod of the cluster, with an empty list nobody.'),
    extraEgress: z
      .array(openObject('An egress rule as in a NetworkPolicy.'))
      .max(32)
      .optional()
      .describe('What replicas may reach beside DNS, the database and, with federation, other servers.'),
  })
  .prefault({ mode: 'Managed' })
  .describe('Which connections the replicas may have.');

export type NetworkPolicySpec = z.infer<typeof NetworkPolicySpec>;

/** `spec.monitoring`. */
export const MonitoringSpec = z
  .object({
    mode: z
      .enum(['Auto', 'Off'])
      .default('Auto')
      .describe(
        'Auto: a ServiceMonitor where the Prometheus operator is installed; Off (in YAML with quotes: "Off"): none.',
      ),
    labels: textMap('More labels on the ServiceMonitor, by which a Prometheus selects it.').optional(),
  })
  .prefault({ mode: 'Auto' })
  .describe('How metrics are found.');

export type MonitoringSpec = z.infer<typeof MonitoringSpec>;
