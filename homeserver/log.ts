import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';

/**
 * Structured JSON log. The message is a fixed text, all else goes into fields from this list: component req_id user_id
 * room_id event_id destination txn_id step err duration_ms count. Never tokens, passwords, keys or event content.
 * `error` = someone must act; `warn` = we retried; `info` = once per change; `debug` = the rest.
 */
export type Logger = PinoLogger;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  level: LogLevel | 'silent';
  /** Where lines go; standard output when absent. */
  destination?: DestinationStream;
}

/** The root logger of a process; folders take `log.child({ component: 'sequencer' })`. */
export function createLogger(options: LogOptions): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/**
 * Runs work that nobody waits for: a failure is logged, never lost and never unhandled. One that passes by itself (503: the database is
 * away) is no error, nobody has to act.
 */
export function background(promise: Promise<unknown>, log: Logger, step: string): void {
  promise.catch((err: unknown) => {
    if (isPassing(err)) log.warn({ err, step }, 'background work has to wait');
    else log.error({ err, step }, 'background work failed');
  });
}

function isPassing(err: unknown): boolean {
  return err instanceof Error && 'status' in err && err.status === 503;
}
