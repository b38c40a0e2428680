import { setTimeout as pause } from 'node:timers/promises';
import { SeenDevices } from '../accounts/seen-devices.ts';
import { TokenCache } from '../accounts/token-cache.ts';
import { loadKeyring } from '../config/keyring.ts';
import { loadTurnService } from '../config/turn-service.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { KeyResponse } from '../http/server-server/key-response.ts';
import type { PublishedKeyring } from '../http/server-server/key-response.ts';
import type { App } from '../http/app.ts';
import { Authenticator } from '../http/authenticate.ts';
import { Readiness } from '../http/health.ts';
import { startMetricsServer } from '../http/metrics-server.ts';
import type { TlsIdentity } from '../http/node-server.ts';
import { RateLimiter } from '../http/rate-limit.ts';
import { createHttpServer } from '../http/server.ts';
import type { ListenAddress } from '../http/server.ts';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { BucketWatch } from '../media/watch-bucket.ts';
import { createMetrics } from '../metrics.ts';
import { createRoomWriter } from '../pipeline/create-room-writer.ts';
import { checkSchema } from '../storage/schema-check.ts';
import { openStore } from '../storage/store.ts';
import type { Store } from '../storage/store.ts';
import { selectSchemaState } from '../storage/tables/schema_state.ts';
import { openMemberProfiles } from '../rooms/member-profiles.ts';
import { openSyncState } from '../sync/sync-state.ts';
import { startSnapshotCollection } from '../workers/collect-snapshots.ts';
import { startCuttingRedacted } from '../workers/cut-redacted.ts';
import { startPresence } from '../workers/presence.ts';
import { startProfileUpdates } from '../workers/profile-updates.ts';
import { startPruning } from '../workers/prune.ts';
import { startSearchIndex } from '../workers/search-index.ts';
import { startDirectoryCheck } from '../workers/user-directory.ts';
import { closeAll } from './close-all.ts';
import type { Closer, StopOptions } from './close-all.ts';

export interface ReplicaOptions {
  config: HomeserverConfig;
  log: Logger;
  softwareVersion: string;
  /**
   * Starts no background work: of a copy of a server nothing may reach other servers, push gateways or application services.
   */
  isolated?: boolean;
  /** What looks at the bucket for files; closed with the replica. */
  bucket?: BucketWatch | undefined;
  /** A second listener with TLS, for other servers. */
  federation?: ListenAddress & { tls: TlsIdentity };
}

/** A running replica. */
export interface Replica {
  readonly app: App;
  readonly httpPort: number;
  readonly metricsPort: number;
  readonly federationPort: number | undefined;
  /**
   * Serves until what was under way is answered, then closes everything; false when something could not be closed within 10 s
   * more. Never rejects.
   */
  stop(options: StopOptions): Promise<boolean>;
}

/**
 * Opens everything that one replica is and starts to serve. Rejects with KeyringError, UnfitDatabase, M_UNKNOWN/503 (database away)
 * or the listener's error; nothing stays open then.
 */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const closers: Closer[] = [];
  const { bucket } = options;
  if (bucket !== undefined) closers.push({ name: 'bucket', close: () => bucket.close() });
  const stop = (how: StopOptions) => closeAll(closers.splice(0), how, options.log);
  try {
    const app = await openApp(options, closers);
    const ports = await listen(app, options, closers);
    return { app, ...ports, stop };
  } catch (error) {
    await stop({ settleMs: 0, drainMs: 0 });
    throw error;
  }
}

async function openApp(options: ReplicaOptions, closers: Closer[]): Promise<App> {
  const { config, log, softwareVersion } = options;
  const { serverName, database, keyringFile: file } = config;
  const turn = await loadTurnService(config);
  const keyring = await loadKeyring({ file, serverName, log: log.child({ component: 'keyring' }) });
  closers.push({ name: 'keyring', close: () => keyring.close() });
  const storeLog = log.child({ component: 'storage' });
  const store = await openStore({ database, log: storeLog, softwareVersion, serverName });
  closers.push({ name: 'store', close: () => store.close() });
  const metrics = createMetrics(store.caches);
  const writer = createRoomWriter({ store, keyring, config, log, metrics });
  closers.push({ name: 'writer', close: () => writer.close() });
  const tokens = new TokenCache(store, log);
  const sync = openSyncState({ store, config, metrics, log });
  closers.push({ name: 'tokens', close: () => tokens.close() }, { name: 'sync', close: () => sync.close() });
  const keyResponse = new KeyResponse(keyring);
  const limits = new RateLimiter(config.rateLimits, metrics);
  const profiles = openMemberProfiles(store.db);
  const app = {
    config,
    log,
    softwareVersion,
    keyring,
    store,
    metrics,
    writer,
    profiles,
    tokens,
    sync,
    keyResponse,
    limits,
    turn,
  };
  if (options.isolated !== true) closers.push(...startWorkers(app));
  await reportKeys(store, keyring, log);
  return app;
}

function startWorkers(app: App): Closer[] {
  const { store, log } = app;
  return [
    { name: 'profile updates', close: startProfileUpdates(app) },
    { name: 'pruning', close: startPruning(store, log) },
    { name: 'snapshots', close: startSnapshotCollection(app) },
    { name: 'search index', close: startSearchIndex(store, log) },
    { name: 'redacted content', close: startCuttingRedacted(app) },
    { name: 'presence', close: startPresence(app) },
    { name: 'directory check', close: startDirectoryCheck(store, log) },
  ];
}

/** Tells the operator which keys this replica uses, now and after each change. */
async function reportKeys(store: Store, keyring: PublishedKeyring, log: Logger): Promise<void> {
  const report = () =>
    store.replica.reportKeyring({ generation: keyring.generation, activeKeyId: keyring.active().keyId });
  await report();
  keyring.onChange(() => {
    background(report(), log, 'report the keyring');
  });
}

async function listen(
  app: App,
  options: ReplicaOptions,
  closers: Closer[],
): Promise<{ httpPort: number; metricsPort: number; federationPort: number | undefined }> {
  const { config, log, federation, bucket } = options;
  const readiness = new Readiness([() => databaseProblem(app.store, config.serverName)], bucket);
  const seen = new SeenDevices(app.store, log);
  closers.push({ name: 'seen devices', close: () => seen.close() });
  const authenticator = new Authenticator(app.tokens, seen);
  const metricsServer = await startMetricsServer(config.listeners.metrics, app.metrics, log);
  closers.push({ name: 'metrics', close: () => metricsServer.close() });
  const serving = { app, authenticator, readiness };
  const plain = createHttpServer(serving);
  closers.push({ name: 'http', close: ({ drainMs }) => plain.close(drainMs) });
  const httpPort = await plain.listen(config.listeners.http);
  let federationPort: number | undefined;
  if (federation !== undefined) {
    const secure = createHttpServer({ ...serving, tls: federation.tls });
    closers.push({ name: 'federation', close: ({ drainMs }) => secure.close(drainMs) });
    federationPort = await secure.listen(federation);
  }
  closers.push({
    name: 'settling',
    close: async ({ settleMs }) => {
      readiness.drain();
      await settle(app.store, settleMs);
    },
  });
  return { httpPort, metricsPort: metricsServer.port, federationPort };
}

const OTHERS_LOOK_MS = 250;

async function settle({ replica }: Store, settleMs: number): Promise<void> {
  if (settleMs === 0) return;
  const over = new AbortController();
  const leaving = async (): Promise<void> => {
    // A database that does not answer says nothing about the others.
    while (!over.signal.aborted && (await replica.leaveToOthers().catch(() => true))) await pause(OTHERS_LOOK_MS);
  };
  const timer = pause(settleMs, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([timer, leaving()]);
  over.abort();
}

/** Why this replica may not be sent requests, seen from the database. */
async function databaseProblem(store: Store, serverName: string): Promise<string | undefined> {
  if (store.replica.fenced) return 'the database has moved past this program';
  const state = await selectSchemaState(store.db);
  try {
    checkSchema(state, serverName);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'the schema does not fit';
  }
}
