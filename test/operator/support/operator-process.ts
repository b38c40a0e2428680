import pg from 'pg';
import { loadConfig } from '../../../operator/config.ts';
import { createLog } from '../../../operator/log.ts';
import { createMetrics } from '../../../operator/metrics.ts';
import { startOperator } from '../../../operator/reconcile/operator.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import { TEST_CATALOGUE } from './test-programs.ts';

/**
 * An operator as a process of its own that knows the versions of the tests, for tests that kill it. It kills itself as
 * soon as it has written to the table of upgrades, or thrown the sealed keys of a restore away, before anything can be
 * made of the answer.
 */
const query: (text: string, values?: unknown[]) => Promise<pg.QueryResult> = Reflect.get(pg.Client.prototype, 'query');
Object.assign(pg.Client.prototype, {
  async query(this: pg.Client, text: string, values?: unknown[]) {
    const result = await query.call(this, text, values);
    const isWrite =
      /^(with accepted as \()?(insert into|update) matrix_operator\.upgrade/.test(text) && (result.rowCount ?? 0) > 0;
    if (isWrite || text.startsWith('drop table if exists matrix_operator.restored_keys')) {
      process.stdout.write(`wrote ${text.slice(0, 60)}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
    return result;
  },
});

const config = loadConfig();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const { namespace, serviceAccount, tenantRole, clusterName, homeserverImage, probeServices } = config;
const operator = await startOperator(
  {
    client: createKubeClient({ kubeconfig: config.kubeconfig, userAgent: 'matrix-operator/test' }),
    metrics: createMetrics(),
    log: createLog('info'),
    settings: {
      clusterName,
      homeserverImage,
      probeServices,
      keyWaitDivisor: config.keyWaitDivisor,
      operatorVersion: '0.1.0',
      catalogue: TEST_CATALOGUE,
      maxConcurrentUpgrades: 5,
      upgradeTimes: config.upgradeTimes,
      serviceAccount: { namespace, name: serviceAccount },
      tenantRole,
    },
    federationCheck: undefined,
    watchNamespaces: config.watchNamespaces,
    secretNamespaces: config.secretNamespaces,
    leaseClient: undefined,
    podName: config.podName,
    health: { host: config.healthHost, port: config.healthPort },
  },
  stop.signal,
);
await operator.ended;
