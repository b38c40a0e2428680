import { hostname } from 'node:os';
import * as z from 'zod';
import { isCidr } from './federation-check/addresses.ts';
import { CATALOGUE } from './upgrades/catalogue.ts';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

const flag = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false'])
    .default(fallback)
    .transform((text) => text === 'true');

const seconds = (fallback: number, most: number) => z.coerce.number().int().min(1).max(most).default(fallback);

const Environment = z.object({
  MATRIX_OPERATOR_NAMESPACE: z.string().min(1).default('default').describe('Namespace of the operator and its Lease.'),
  MATRIX_OPERATOR_SERVICE_ACCOUNT: z.string().min(1).default('matrix-operator').describe('Its service account.'),
  MATRIX_OPERATOR_TENANT_ROLE: z
    .string()
    .min(1)
    .default('matrix-operator-tenant')
    .describe('ClusterRole that a namespace grants it.'),
  MATRIX_OPERATOR_POD_NAME: z.string().min(1).optional().describe('Name of this process in the Lease.'),
  MATRIX_OPERATOR_WATCH_NAMESPACES: list.describe('Namespaces to watch, by comma; empty: all.'),
  MATRIX_OPERATOR_SECRET_NAMESPACES: list.describe('Namespaces whose Secrets may be watched, by comma; "*": all.'),
  MATRIX_OPERATOR_CLUSTER_NAME: z
    .string()
    .min(1)
    .max(63)
    .default('default')
    .describe('Part of derived database names.'),
  MATRIX_OPERATOR_HOMESERVER_IMAGE: z
    .string()
    .min(1)
    .max(512)
    .default(`localhost/matrix-operator:${CATALOGUE.default}`)
    .describe('Image of the homeserver that belongs to this operator.'),
  MATRIX_OPERATOR_PROBE_SERVICES: flag('false').describe(
    'Whether to ask Services whether they answer; needs the pod network.',
  ),
  MATRIX_OPERATOR_FEDERATION_CHECK: flag('false').describe(
    'Whether to look at the servers as other Matrix servers see them; needs a way to the internet.',
  ),
  MATRIX_OPERATOR_PROBE_ALLOW_CIDRS: list
    .refine((cidrs) => cidrs.every(isCidr), 'CIDRs such as 10.0.0.0/8 or fd00::/8 are allowed, by comma')
    .describe('Networks that this look may enter although they are not public, by comma.'),
  MATRIX_OPERATOR_KEY_WAIT_DIVISOR: z.coerce
    .number()
    .min(1)
    .max(1_000_000)
    .default(1)
    .describe(
      'Divides how long a signing key is published before it signs and kept after it is retired. Only for tests: other servers keep old answers for the full time.',
    ),
  MATRIX_OPERATOR_MAX_CONCURRENT_UPGRADES: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(5)
    .describe('Most upgrades by approval Automatic at a time.'),
  MATRIX_OPERATOR_MIN_READY_SECONDS: seconds(10, 600).describe(
    'During an upgrade: how long a new pod has to be ready before the next old one goes.',
  ),
  MATRIX_OPERATOR_GOOD_SECONDS: seconds(60, 3600).describe(
    'How long a new version has to serve without a fault before it counts as reached.',
  ),
  MATRIX_OPERATOR_ROLLOUT_SECONDS: seconds(600, 7200).describe(
    'A rollout without a new ready pod for so long has failed.',
  ),
  MATRIX_OPERATOR_LEADER_ELECTION: flag('true').describe('Off only for tests.'),
  MATRIX_OPERATOR_HEALTH_HOST: z
    .string()
    .min(1)
    .default('0.0.0.0')
    .describe('Address of /livez, /readyz and /metrics.'),
  MATRIX_OPERATOR_HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(8080).describe('Their port.'),
  MATRIX_OPERATOR_PROFILING: flag('false').describe(
    'Whether /debug/profile?seconds=N gives a CPU profile to who can reach that port.',
  ),
  MATRIX_OPERATOR_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severe log line.'),
  KUBECONFIG: z
    .string()
    .min(1)
    .optional()
    .describe('How to reach the cluster; absent: the service account of the pod.'),
});

/** Settings of one operator process. */
export interface OperatorConfig {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly tenantRole: string;
  readonly podName: string;
  readonly watchNamespaces: readonly string[];
  readonly secretNamespaces: readonly string[] | 'all';
  readonly clusterName: string;
  readonly homeserverImage: string;
  readonly probeServices: boolean;
  /** undefined: nobody looks. */
  readonly federationCheck: { readonly allowCidrs: readonly string[] } | undefined;
  readonly keyWaitDivisor: number;
  readonly maxConcurrentUpgrades: number;
  readonly upgradeTimes: {
    readonly minReadySeconds: number;
    readonly goodSeconds: number;
    readonly rolloutSeconds: number;
  };
  readonly leaderElection: boolean;
  readonly healthHost: string;
  readonly healthPort: number;
  readonly profiling: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly kubeconfig: string | undefined;
}

/** Reads the environment; throws a ZodError that names the variable. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): OperatorConfig {
  const found = Environment.parse(env);
  const secretNamespaces = found.MATRIX_OPERATOR_SECRET_NAMESPACES;
  return Object.freeze({
    namespace: found.MATRIX_OPERATOR_NAMESPACE,
    serviceAccount: found.MATRIX_OPERATOR_SERVICE_ACCOUNT,
    tenantRole: found.MATRIX_OPERATOR_TENANT_ROLE,
    podName: found.MATRIX_OPERATOR_POD_NAME ?? hostname(),
    watchNamespaces: found.MATRIX_OPERATOR_WATCH_NAMESPACES,
    secretNamespaces: secretNamespaces.includes('*') ? 'all' : secretNamespaces,
    clusterName: found.MATRIX_OPERATOR_CLUSTER_NAME,
    homeserverImage: found.MATRIX_OPERATOR_HOMESERVER_IMAGE,
    probeServices: found.MATRIX_OPERATOR_PROBE_SERVICES,
    federationCheck: found.MATRIX_OPERATOR_FEDERATION_CHECK
      ? { allowCidrs: found.MATRIX_OPERATOR_PROBE_ALLOW_CIDRS }
      : undefined,
    keyWaitDivisor: found.MATRIX_OPERATOR_KEY_WAIT_DIVISOR,
    maxConcurrentUpgrades: found.MATRIX_OPERATOR_MAX_CONCURRENT_UPGRADES,
    upgradeTimes: {
      minReadySeconds: found.MATRIX_OPERATOR_MIN_READY_SECONDS,
      goodSeconds: found.MATRIX_OPERATOR_GOOD_SECONDS,
      rolloutSeconds: found.MATRIX_OPERATOR_ROLLOUT_SECONDS,
    },
    leaderElection: found.MATRIX_OPERATOR_LEADER_ELECTION,
    healthHost: found.MATRIX_OPERATOR_HEALTH_HOST,
    healthPort: found.MATRIX_OPERATOR_HEALTH_PORT,
    profiling: found.MATRIX_OPERATOR_PROFILING,
    logLevel: found.MATRIX_OPERATOR_LOG_LEVEL,
    kubeconfig: found.KUBECONFIG,
  });
}

/** Every variable with its meaning, for `--help`. */
export function describeVariables(): string {
  return Object.entries(Environment.shape)
    .map(([name, field]) => `  ${name.padEnd(36)} ${field.description ?? ''}`)
    .join('\n');
}
