import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** All metrics of one operator process; a closed set of label values, never resource or server names. */
export interface Metrics {
  readonly registry: Registry;
  readonly reconciles: Counter<'result'>;
  readonly reconcileSeconds: Histogram<'result'>;
  readonly stepSeconds: Histogram<'step'>;
  readonly queueDepth: Gauge;
  readonly queueWaitSeconds: Histogram;
  readonly apiRequests: Counter<'verb' | 'kind' | 'code'>;
  readonly writes: Counter<'kind'>;
  readonly watchAgeSeconds: Gauge<'kind'>;
  readonly relists: Counter<'kind' | 'cause'>;
  readonly leader: Gauge;
  readonly resources: Gauge<'reason' | 'class'>;
  readonly conditions: Gauge<'type' | 'status'>;
  readonly backups: Gauge<'reason'>;
  readonly driftRepairs: Counter<'kind'>;
  readonly migrationPercent: Gauge<'phase'>;
  readonly keyTransitionSeconds: Histogram<'to'>;
  readonly orphanedDatabases: Gauge;
  readonly sqlSeconds: Histogram<'step'>;
  readonly federationChecks: Counter<'class'>;
}

const PREFIX = 'matrix_operator_';
const SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 30];
/** A minute to two weeks. */
const LONG_SECONDS = [60, 300, 3600, 21_600, 46_800, 90_000, 259_200, 1_209_600];

/** A fresh set with its own registry, so that tests can have several. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets = SECONDS) =>
    new Histogram({ name: `${PREFIX}${name}`, help, labelNames, registers, buckets });
  return {
    registry,
    reconciles: counter('reconcile_total', 'Runs of the reconciler, by result.', ['result']),
    reconcileSeconds: histogram('reconcile_seconds', 'Length of a run, by result.', ['result']),
    stepSeconds: histogram('step_duration_seconds', 'Length of one step of a run.', ['step']),
    queueDepth: gauge('queue_depth', 'Keys that wait for a worker.', []),
    queueWaitSeconds: histogram('queue_wait_seconds', 'How long a key waited for a worker.', []),
    apiRequests: counter('api_requests_total', 'Requests to the API server.', ['verb', 'kind', 'code']),
    writes: counter('writes_total', 'Objects written, by kind.', ['kind']),
    watchAgeSeconds: gauge('watch_age_seconds', 'Time since a watch last gave a byte.', ['kind']),
    relists: counter('relists_total', 'Complete lists, by cause.', ['kind', 'cause']),
    leader: gauge('leader', '1 while this process leads.', []),
    resources: gauge('resources', 'Resources by the reason of their Ready condition and who has to act on it.', [
      'reason',
      'class',
    ]),
    conditions: gauge('conditions', 'Resources by type and status of their conditions.', ['type', 'status']),
    backups: gauge('backups', 'Resources with backups by the reason of their BackupReady condition.', ['reason']),
    migrationPercent: gauge(
      'migration_percent',
      'How far the migrations are of the resource that is least far in a phase; no row while there are none.',
      ['phase'],
    ),
    keyTransitionSeconds: histogram(
      'key_transition_seconds',
      'How long signing keys were in their state before, by the state they came into.',
      ['to'],
      LONG_SECONDS,
    ),
    driftRepairs: counter(
      'drift_repairs_total',
      'Children that somebody else had changed or deleted and that were put back.',
      ['kind'],
    ),
    federationChecks: counter('federation_check_total', 'Looks at a server name from outside, by what was found.', [
      'class',
    ]),
    orphanedDatabases: gauge(
      'orphaned_databases',
      'Databases of deleted resources that this process could not drop.',
      [],
    ),
    sqlSeconds: histogram('sql_seconds', 'Length of the work on a database, by step.', ['step']),
  };
}
