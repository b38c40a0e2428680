import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiServer } from '../../cluster/api-server.ts';

const WRITES = ['POST', 'PUT', 'PATCH', 'DELETE'];

/** Stands before an API server and tells of each write that was committed, before the client hears of it. */
export interface Proxy {
  /** Kubeconfig that leads through the proxy. */
  readonly kubeconfigPath: string;
  /** Set by the test; the answer goes on to the client only when it gives back true. */
  onWrite: (what: string) => boolean;
  close(): Promise<void>;
}

export async function startProxy(api: ApiServer, folder: string): Promise<Proxy> {
  const server = createServer((incoming, answer) => forward(incoming, answer));
  const { ca, cert, key } = api.credential;
  const agent = new Agent({ keepAlive: true, ca, cert, key });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const kubeconfigPath = join(folder, 'kubeconfig-proxy');
  await writeFile(kubeconfigPath, kubeconfig(port));
  const proxy: Proxy = {
    kubeconfigPath,
    onWrite: () => true,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        agent.destroy();
        server.close(() => resolve());
      }),
  };

  function forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = incoming;
    const upstream = request(new URL(url, api.server), { method, headers, agent });
    upstream.once('response', (found) => {
      const isWrite = WRITES.includes(method) && !/\/(leases|events)(\/|\?|$)/.test(url);
      const committed = isWrite && (found.statusCode ?? 500) < 300;
      if (committed && !proxy.onWrite(`${method} ${url.split('?')[0]}`)) return answer.destroy();
      answer.writeHead(found.statusCode ?? 502, found.headers);
      return found.pipe(answer);
    });
    upstream.once('error', () => answer.destroy());
    answer.once('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }

  return proxy;
}

function kubeconfig(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'proxy', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'nobody', user: {} }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'nobody' } }],
    'current-context': 'proxy',
  });
}
