import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Every label has a small fixed set of values (endpoint = operationId, result = a status class); never ids or names. */
const LATENCY_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** All metrics of one replica; each part adds its own here. Made once and passed down. */
export interface Metrics {
  readonly registry: Registry;
  /** Requests answered, by endpoint (operationId, or "unknown") and result: status class (2xx, 4xx, ...) or aborted. */
  readonly requests: Counter<'endpoint' | 'result'>;
  /** Time from the parsed head of a request to its answer, by endpoint. */
  readonly requestSeconds: Histogram<'endpoint'>;
  readonly requestsOpen: Gauge;
  /** Requests refused by a rate limit, by the limit's name. */
  readonly rateLimited: Counter<'limit'>;
  readonly eventsPersisted: Counter;
  readonly batches: Counter;
  readonly batchSeconds: Histogram;
  /** Rooms of a batch refused because another replica had moved their state. */
  readonly roomsRefused: Counter;
  readonly intentsPending: Gauge;
  /** Events of other servers, by what became of them. */
  readonly eventsReceived: Counter<'outcome'>;
  readonly resolutionSeconds: Histogram;
  /** Snapshots that were stored before anything named them, by what became of them. */
  readonly unnamedSnapshots: Counter<'outcome'>;
  readonly redactedEventsCut: Counter;
  readonly longPollsWaiting: Gauge;
  /** Large answers that are being made or sent. */
  readonly largeAnswerBytes: Gauge;
  readonly largeAnswersWaiting: Gauge;
  readonly syncSeconds: Histogram<'kind'>;
}

function requestMetrics(registers: Registry[]) {
  return {
    requests: new Counter({
      name: 'matrix_homeserver_requests_total',
      help: 'Requests answered. endpoint: operationId or "unknown"; result: 2xx to 5xx, or aborted.',
      labelNames: ['endpoint', 'result'] as const,
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'matrix_homeserver_request_duration_seconds',
      help: 'Time to answer a request. endpoint: operationId or "unknown".',
      labelNames: ['endpoint'] as const,
      buckets: LATENCY_SECONDS,
      registers,
    }),
    requestsOpen: new Gauge({ name: 'matrix_homeserver_requests_open', help: 'Requests under way.', registers }),
    rateLimited: new Counter({
      name: 'matrix_homeserver_rate_limited_total',
      help: 'Requests refused by a rate limit. limit: key of rateLimits in the configuration.',
      labelNames: ['limit'] as const,
      registers,
    }),
  };
}

function writeMetrics(registers: Registry[]) {
  return {
    eventsPersisted: new Counter({
      name: 'matrix_homeserver_events_persisted_total',
      help: 'Events committed by this replica.',
      registers,
    }),
    batches: new Counter({
      name: 'matrix_homeserver_batches_total',
      help: 'Batches committed by this replica.',
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'matrix_homeserver_batch_duration_seconds',
      help: 'Time from calling the batch function to its answer, retries included.',
      buckets: LATENCY_SECONDS,
      registers,
    }),
    roomsRefused: new Counter({
      name: 'matrix_homeserver_batch_rooms_refused_total',
      help: 'Rooms of a batch that were built again because their state had moved.',
      registers,
    }),
    intentsPending: new Gauge({
      name: 'matrix_homeserver_intents_pending',
      help: 'Events waiting to go into a batch.',
      registers,
    }),
    eventsReceived: new Counter({
      name: 'matrix_homeserver_events_received_total',
      help: 'Events of other servers that were looked at. outcome: accepted, soft_failed, rejected or missing.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    resolutionSeconds: new Histogram({
      name: 'matrix_homeserver_state_resolution_duration_seconds',
      help: 'Time to resolve states of a room that differ, those known from before left out.',
      buckets: LATENCY_SECONDS,
      registers,
    }),
    unnamedSnapshots: new Counter({
      name: 'matrix_homeserver_unnamed_snapshots_total',
      help: 'States that nothing named when they were stored, looked at later. outcome: deleted, named or kept.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    redactedEventsCut: new Counter({
      name: 'matrix_homeserver_redacted_events_cut_total',
      help: 'Redacted events whose content was taken out of the database.',
      registers,
    }),
  };
}

function syncMetrics(registers: Registry[]) {
  return {
    longPollsWaiting: new Gauge({
      name: 'matrix_homeserver_long_polls_waiting',
      help: 'Sync requests that wait for something to happen.',
      registers,
    }),
    largeAnswerBytes: new Gauge({
      name: 'matrix_homeserver_large_answers_bytes',
      help: 'Memory that large answers take while they are made and sent, estimated.',
      registers,
    }),
    largeAnswersWaiting: new Gauge({
      name: 'matrix_homeserver_large_answers_waiting',
      help: 'Requests for large answers that wait for others to be sent.',
      registers,
    }),
    syncSeconds: new Histogram({
      name: 'matrix_homeserver_sync_duration_seconds',
      help: 'Time to build a sync answer, waiting left out. kind: initial or incremental.',
      labelNames: ['kind'] as const,
      buckets: LATENCY_SECONDS,
      registers,
    }),
  };
}

/** How full a cache is and what it has been good for. */
export interface CacheFigures {
  readonly entries: number;
  /** As the cache estimates them. */
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
}

/** All caches with their figures as they are now. */
interface WatchedCaches {
  figures(): Iterable<readonly [name: string, figures: CacheFigures]>;
}

/** Read when somebody asks: counting costs the caches an addition. */
function cacheMetrics(registers: Registry[], caches: WatchedCaches): void {
  const labelNames = ['cache'] as const;
  const gauge = (name: string, help: string, figure: 'entries' | 'bytes') =>
    new Gauge({
      name: `matrix_homeserver_cache_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        for (const [cache, figures] of caches.figures()) this.set({ cache }, figures[figure]);
      },
    });
  const counter = (name: string, help: string, figure: 'hits' | 'misses') =>
    new Counter({
      name: `matrix_homeserver_cache_${name}_total`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [cache, figures] of caches.figures()) this.inc({ cache }, figures[figure]);
      },
    });
  gauge('entries', 'Entries of a cache. cache: a fixed set of names.', 'entries');
  gauge('bytes', 'Memory that the entries of a cache take, estimated. cache: a fixed set of names.', 'bytes');
  counter('hits', 'Look-ups that a cache answered. cache: a fixed set of names.', 'hits');
  counter('misses', 'Look-ups that a cache did not answer. cache: a fixed set of names.', 'misses');
}

/** A registry of its own for each replica, so that several can live in one process. */
export function createMetrics(caches: WatchedCaches): Metrics {
  const registry = new Registry();
  const registers = [registry];
  cacheMetrics(registers, caches);
  return { registry, ...requestMetrics(registers), ...writeMetrics(registers), ...syncMetrics(registers) };
}

/** Adds process figures (memory, event loop delay, garbage collection) to the registry; once per process. */
export function collectProcessMetrics(metrics: Metrics): void {
  collectDefaultMetrics({ register: metrics.registry, prefix: 'matrix_homeserver_' });
}
