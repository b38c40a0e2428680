import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../log.ts';
import { background } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ListenAddress } from './server.ts';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** GET /metrics in Prometheus text format, on a port of its own that no proxy leads to. */
export async function startMetricsServer(
  address: ListenAddress,
  metrics: Metrics,
  log: Logger,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    background(answer(request, response, metrics), log, 'metrics');
  });
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, metrics: Metrics): Promise<void> {
  if (request.method !== 'GET' || request.url !== '/metrics') {
    response.writeHead(404).end();
    return;
  }
  const text = await metrics.registry.metrics();
  response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text);
}
