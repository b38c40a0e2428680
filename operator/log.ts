import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export type Log = Logger;

/** Fields whose values never reach a log line, wherever a caller put them by mistake. */
const SECRET_FIELDS = ['password', 'seed', 'token', 'verifier', 'data', 'stringData', 'authorization'];

/**
 * JSON lines on standard output, one field list: component namespace name generation step err duration_ms count.
 * Levels: error = someone must act, warn = we retried, info = once per change, debug = the rest.
 */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error', destination?: DestinationStream): Log {
  const options = {
    level,
    base: { component: 'operator' },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[removed]' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    messageKey: 'msg',
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Runs something nobody waits for; a failure is logged, never lost. */
export function background(work: Promise<unknown>, log: Log, what: string): void {
  work.catch((error: unknown) => {
    log.error({ err: error, step: what }, 'background work failed');
  });
}
