import { parseArgs } from 'node:util';
import { ZodError } from 'zod';
import { EXIT_CODES } from '../homeserver/contract/exit-codes.ts';
import type { OperatorConfig } from './config.ts';
import { describeVariables, loadConfig } from './config.ts';
import { createLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { startOperator } from './reconcile/operator.ts';
import { cpuProfile } from './runtime/cpu-profile.ts';
import { createKubeClient } from './runtime/kube-client.ts';
import { CATALOGUE } from './upgrades/catalogue.ts';

const HELP = `matrix-operator ${CATALOGUE.default}: runs Matrix homeservers in Kubernetes.

  run                    watch MatrixHomeserver resources and act on them
  crd                    print the CustomResourceDefinition as YAML

  --kubeconfig FILE      how to reach the cluster; otherwise $KUBECONFIG, otherwise the service account of the pod
  --context NAME         context of the kubeconfig
  --help                 this text

Settings of run come from the environment:
${describeVariables()}
`;

/** Between two renewals of the Lease: a request that takes longer is worth nothing. */
const LEASE_TIMEOUT_MS = 3000;

const OPTIONS = { kubeconfig: { type: 'string' }, context: { type: 'string' }, help: { type: 'boolean' } } as const;

interface Access {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

async function run(config: OperatorConfig, access: Access): Promise<never> {
  const log = createLog(config.logLevel);
  const metrics = createMetrics();
  const userAgent = `matrix-operator/${CATALOGUE.default}`;
  const client = createKubeClient({
    ...access,
    userAgent,
    onRequest: ({ verb, kind, status }) => metrics.apiRequests.inc({ verb, kind, code: String(status) }),
  });
  const leaseClient = config.leaderElection
    ? createKubeClient({ ...access, userAgent, requestTimeoutMs: LEASE_TIMEOUT_MS })
    : undefined;
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const { namespace, serviceAccount, clusterName, homeserverImage, probeServices, keyWaitDivisor } = config;
  const { maxConcurrentUpgrades, upgradeTimes } = config;
  const operator = await startOperator(
    {
      client,
      metrics,
      log,
      settings: {
        clusterName,
        homeserverImage,
        probeServices,
        keyWaitDivisor,
        operatorVersion: CATALOGUE.default,
        catalogue: CATALOGUE,
        maxConcurrentUpgrades,
        upgradeTimes,
        serviceAccount: { namespace, name: serviceAccount },
        tenantRole: config.tenantRole,
      },
      watchNamespaces: config.watchNamespaces,
      secretNamespaces: config.secretNamespaces,
      federationCheck: config.federationCheck && { ...config.federationCheck, userAgent },
      leaseClient,
      podName: config.podName,
      health: {
        host: config.healthHost,
        port: config.healthPort,
        profile: config.profiling ? cpuProfile : undefined,
      },
    },
    stop.signal,
  );
  log.info({ step: 'start', port: operator.healthPort }, 'the operator has started');
  const ending = await operator.ended;
  await Promise.all([client.close(), leaseClient?.close()]);
  log.info({ step: 'stop', reason: ending }, 'the operator has ended');
  // A session with a server that hangs would keep this process for 40 s, long after it has let go of everything.
  process.exit(ending === 'stopped' ? EXIT_CODES.done : EXIT_CODES.failed);
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const [command] = positionals;
  if (values.help === true || command === 'help') return print(HELP);
  // Only this command needs the YAML library, which would cost every run some MB.
  if (command === 'crd') return print((await import('./api/generate-crd.ts')).crdYaml());
  if (command !== 'run' || positionals.length > 1) {
    process.stderr.write(
      `${command === undefined ? 'a command is needed' : `unknown: ${positionals.join(' ')}`}\n\n${HELP}`,
    );
    return EXIT_CODES.badUsage;
  }
  const config = loadConfig();
  return run(config, { kubeconfig: values.kubeconfig ?? config.kubeconfig, context: values.context });
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT_CODES.done;
}

function isBadUsage(error: unknown): boolean {
  return (
    error instanceof ZodError ||
    (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
  );
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`matrix-operator: ${message}\n`);
  process.exitCode = isBadUsage(error) ? EXIT_CODES.badUsage : EXIT_CODES.failed;
}
