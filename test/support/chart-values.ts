import * as z from 'zod';

const text = (what: string) => z.string().describe(what);
const flag = (fallback: boolean, what: string) => z.boolean().default(fallback).describe(what);
const open = (what: string) => z.record(z.string(), z.unknown()).default({}).describe(what);

const namespaces = (what: string, most?: number) => {
  const names = z.array(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/));
  return (most === undefined ? names : names.max(most)).default([]).describe(what).meta({ uniqueItems: true });
};

/** The values of the Helm chart: values.yaml, values.schema.json and docs/reference/chart.md are made from this. */
export const ChartValues = z.strictObject({
  replicaCount: z.int().min(1).max(5).default(2).describe('Number of operator pods: one works, the others stand by.'),
  image: z
    .strictObject({
      repository: z
        .string()
        .min(1)
        .default('ghcr.io/matrix-operator/matrix-operator')
        .describe('Image of the operator and of the homeservers that belong to it.'),
      tag: text('Empty: the version of the chart.').default(''),
      digest: z
        .string()
        .regex(/^(sha256:[0-9a-f]{64})?$/)
        .default('')
        .describe('Digest in place of the tag, sha256:...'),
      pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When nodes pull it.'),
      pullSecrets: z
        .array(z.string().min(1))
        .default([])
        .describe('Names of pull secrets in the namespace of the operator.'),
    })
    .prefault({}),
  resources: z
    .looseObject({})
    .default({ requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '256Mi' } })
    .describe('Requests and limits of an operator pod.'),
  nodeSelector: z.record(z.string(), z.string()).default({}).describe('Where the operator pods run.'),
  tolerations: z.array(z.looseObject({})).default([]).describe('Taints that they tolerate.'),
  affinity: open('Their affinity; over nodes they are spread anyway.'),
  podDisruptionBudget: z
    .strictObject({
      enabled: flag(true, 'At most one operator pod is taken away at a time.'),
    })
    .prefault({}),
  watch: z
    .strictObject({
      namespaces: namespaces(
        'Namespaces to work in, by Roles there and no ClusterRole; empty: the whole cluster. Each must exist. At most 50: the operator holds some 15 watches in each.',
        50,
      ),
    })
    .prefault({}),
  rbac: z
    .strictObject({
      tenantNamespaces: namespaces(
        'Namespaces in which the operator may write and read Secrets; each must exist when the chart is installed. In the first 66 it watches them; in the others, and where a binding was made by hand, it reads them every five minutes.',
      ),
      tenantClusterWide: flag(false, 'The same for every namespace, those to come included.'),
    })
    .prefault({}),
  clusterName: z
    .string()
    .min(1)
    .max(63)
    .default('default')
    .describe('Part of the names of databases; keep it, so that a cluster built anew finds its databases again.'),
  crds: z
    .strictObject({
      enabled: flag(true, 'Install the CustomResourceDefinition with the chart.'),
      keep: flag(true, 'Leave it when the chart is removed: without it all MatrixHomeserver resources are deleted.'),
    })
    .prefault({}),
  policies: z
    .strictObject({
      enabled: flag(
        true,
        'Refuse to delete signing keys by accident (ValidatingAdmissionPolicy; installing it takes rights in the whole cluster).',
      ),
    })
    .prefault({}),
  maxConcurrentUpgrades: z
    .int()
    .min(1)
    .max(1000)
    .default(5)
    .describe('How many servers whose spec says approval Automatic are upgraded at a time.'),
  probe: z
    .strictObject({
      enabled: flag(
        true,
        'Ask the Service of each homeserver whether it answers before calling it Ready, and look at each server name as other Matrix servers see it (spec.federation.selfCheck).',
      ),
      allowCIDRs: z
        .array(z.string().regex(/^[0-9a-fA-F.:]+\/[0-9]{1,3}$/))
        .default([])
        .describe('Networks that this look may enter although they are not public, such as 10.0.0.0/8.')
        .meta({ uniqueItems: true }),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      serviceMonitor: flag(false, 'A ServiceMonitor of the Prometheus Operator for the operator.'),
      prometheusRule: flag(false, 'Its alerts, one set for all homeservers.'),
      dashboards: flag(false, "Dashboards for Grafana's sidecar."),
      labels: z
        .record(z.string(), z.string())
        .default({})
        .describe('More labels on the first two, where a Prometheus selects by label.'),
      runbookURL: z
        .string()
        .regex(/^https?:\/\/[^ ]+[^/]$/)
        .default('https://github.com/matrix-operator/matrix-operator/blob/main/docs/runbooks')
        .describe('Where the pages of the alerts are.'),
    })
    .prefault({}),
  networkPolicy: z
    .strictObject({
      enabled: flag(true, "Lets nothing into the operator's pods but probes and scrapes."),
    })
    .prefault({}),
  profiling: flag(
    false,
    'Answers /debug/profile?seconds=N on the health port (8080) with a CPU profile of the operator, as Chrome reads it.',
  ),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severe line of the log.'),
});
