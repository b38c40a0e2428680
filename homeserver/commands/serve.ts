import { parseArgs } from 'node:util';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { awayField, openMediaBucket } from '../config/media-bucket.ts';
import { SOFTWARE_VERSION } from '../config/software-version.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { DRAIN_SECONDS } from '../contract/layout.ts';
import { createLogger } from '../log.ts';
import type { Logger } from '../log.ts';
import { watchBucket } from '../media/watch-bucket.ts';
import { collectProcessMetrics } from '../metrics.ts';
import { checkPlaces } from './check-places.ts';
import type { Command } from './command.ts';
import { exitCodeOf, messageOf } from './exit-code-of.ts';
import { giveBackMemory, limitGarbage } from './limit-garbage.ts';
import { startReplica } from './start-replica.ts';
import type { Replica } from './start-replica.ts';

/** How long SIGTERM leaves to load balancers to see that /readyz says no, ms. */
const SETTLE_MS = 5000;
/** What is left of the promised drain time for requests under way, ms; the rest closes the database. */
const DRAIN_MS = DRAIN_SECONDS * 1000 - SETTLE_MS - 10_000;

/** How long after everything was closed the process may still live, ms. */
const LINGER_MS = 1000;

/** The homeserver itself. It never migrates the database and never makes a key. */
export const serve: Command = {
  help: `homeserver serve: answer clients and other servers until SIGTERM.

  --config FILE   the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
  --help          this text

Ends with 0 after SIGTERM or Ctrl-C, 10 configuration invalid, 11 schema too old or too new, 12 wrong database,
13 signing keys unreadable, 20 database away: try again.
`,
  run: async (args) => {
    limitGarbage();
    giveBackMemory();
    const { values } = parseArgs({ args, options: { config: { type: 'string' } } });
    const file = values.config ?? defaultConfigFile();
    const config = await loadConfig(file);
    const away = await checkPlaces(config, file);
    const log = createLogger({ level: config.logLevel });
    if (away !== undefined) log.warn({ reason: away }, 'files cannot be kept now; everything else is served');
    const store = openMediaBucket(config, file);
    const watched = { awayField: awayField(config), found: away, log };
    const bucket = store === undefined ? undefined : watchBucket({ store, ...watched });
    const replica = await start({ config, log, softwareVersion: SOFTWARE_VERSION, bucket });
    return typeof replica === 'number' ? replica : serveUntilStopped(replica, log);
  },
};

/** A refusal to start is one line of the log, without a stack that would say nothing more. */
async function start(options: Parameters<typeof startReplica>[0]): Promise<Replica | ExitCode> {
  const { log } = options;
  try {
    const replica = await startReplica(options);
    collectProcessMetrics(replica.app.metrics);
    const duration_ms = Math.round(performance.now());
    log.info({ http_port: replica.httpPort, metrics_port: replica.metricsPort, duration_ms }, 'serving');
    return replica;
  } catch (error) {
    const exit_code = exitCodeOf(error);
    const unknown = exit_code === EXIT_CODES.failed ? { err: error } : {};
    log.error({ exit_code, reason: messageOf(error), ...unknown }, 'cannot serve');
    return exit_code;
  }
}

async function serveUntilStopped(replica: Replica, log: Logger): Promise<ExitCode> {
  const { promise: stopped, resolve } = Promise.withResolvers<'SIGTERM' | 'SIGINT' | 'fenced'>();
  process.once('SIGTERM', resolve);
  process.once('SIGINT', resolve);
  replica.app.store.replica.onFenced(() => {
    resolve('fenced');
  });
  const why = await stopped;
  log.info({ reason: why }, 'stopping');
  // Only a rolling restart has a load balancer that has to notice.
  await replica.stop({ settleMs: why === 'SIGTERM' ? SETTLE_MS : 0, drainMs: DRAIN_MS });
  const code = why === 'fenced' ? EXIT_CODES.schemaUnfit : EXIT_CODES.done;
  if (why === 'fenced') log.error({ exit_code: code }, 'the database has moved past this program');
  endAnyway(code, log);
  return code;
}

/** What is still open would keep the process alive until it is killed. */
function endAnyway(code: ExitCode, log: Logger): void {
  const end = (): void => {
    log.warn({ reason: process.getActiveResourcesInfo().join(' ') }, 'something is still open: ending without it');
    process.exit(code);
  };
  setTimeout(end, LINGER_MS).unref();
}
