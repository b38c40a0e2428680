import type { ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';

/** Notes the time and the result of a request when its answer is through or its client is gone. */
export function measureRequest(
  { metrics, log }: { metrics: Metrics; log: Logger },
  request: FastifyRequest,
  response: ServerResponse,
): void {
  const started = performance.now();
  response.once('close', () => {
    const endpoint = request.routeOptions.config.operationId ?? 'unknown';
    const result = response.writableFinished ? `${Math.floor(response.statusCode / 100)}xx` : 'aborted';
    const durationMs = performance.now() - started;
    metrics.requests.inc({ endpoint, result });
    metrics.requestSeconds.observe({ endpoint }, durationMs / 1000);
    if (!log.isLevelEnabled('debug')) return;
    // The path is left out: it holds ids of other people and, from careless clients, tokens.
    const user = request.requester && { user_id: request.requester.userId };
    log.debug(
      { req_id: request.id, endpoint, result, duration_ms: Math.round(durationMs), ...user },
      'request answered',
    );
  });
}
