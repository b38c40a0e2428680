import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { stringify } from 'yaml';
import type { ApiServer } from '../../cluster/api-server.ts';

/** What the proxy answers in the API server's place. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What happens to a request on its way, or to its answer on the way back. */
export type Fault =
  | Answer
  /** The API server does what it is asked; the answer is lost as a whole, or after its first half. */
  | { readonly answer: 'lost' | 'cut' }
  /** The request goes on when this resolves. */
  | { readonly after: Promise<unknown> };

/** Stands between a client and a real API server, and does on command what networks and API servers do by chance. */
export interface ApiProxy {
  readonly kubeconfigPath: string;
  /** `GET /api/v1/...` of every request so far, watches as `WATCH ...`. */
  readonly requests: string[];
  /** Asked before each request is forwarded; undefined: no fault. */
  intercept: (line: string) => Fault | undefined;
  /** Changes the path of what is forwarded. */
  rewrite: (url: string) => string;
  /** Ends all open watches: `end` properly, `cut` by closing the connection in the middle of a line. */
  breakWatches(how: 'end' | 'cut'): void;
  /** Keeps all watches open, present and later ones, but lets nothing through. */
  frozen: boolean;
  /** Writes into all open watches. */
  inject(text: string): void;
  readonly openWatches: number;
  close(): Promise<void>;
}

class FaultyProxy implements ApiProxy {
  kubeconfigPath = '';
  readonly requests: string[] = [];
  intercept: ApiProxy['intercept'] = () => undefined;
  rewrite: ApiProxy['rewrite'] = (url) => url;
  frozen = false;
  readonly #api: ApiServer;
  readonly #agent: Agent;
  readonly #watches = new Set<ServerResponse>();
  readonly #server = createServer((incoming, outgoing) => this.#handle(incoming, outgoing));
  #folder = '';

  constructor(api: ApiServer) {
    this.#api = api;
    const { ca, cert, key } = api.credential;
    this.#agent = new Agent({ keepAlive: true, ca, cert, key });
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.#folder = await mkdtemp(join(tmpdir(), 'matrix-operator-proxy-'));
    this.kubeconfigPath = join(this.#folder, 'kubeconfig');
    const cluster = { server: `http://127.0.0.1:${address.port}`, 'insecure-skip-tls-verify': true };
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'proxy' },
      clusters: [{ name: 'proxy', cluster }],
      users: [{ name: 'proxy', user: {} }],
      contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
    };
    await writeFile(this.kubeconfigPath, stringify(config));
  }

  breakWatches(how: 'end' | 'cut'): void {
    for (const watch of this.#watches) {
      if (how === 'end') watch.end();
      else watch.write('{"type":"MODIFIED","object":{"metadata":{"na', () => watch.destroy());
    }
    this.#watches.clear();
  }

  inject(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const url = incoming.url ?? '/';
    const isWatch = url.includes('watch=true');
    const line = `${isWatch ? 'WATCH' : (incoming.method ?? '')} ${url}`;
    this.requests.push(line);
    const fault = this.intercept(line);
    if (fault === undefined) return this.#forward(incoming, outgoing, isWatch);
    if ('after' in fault) return void fault.after.then(() => this.#forward(incoming, outgoing, isWatch));
    if ('answer' in fault) return this.#spoil(incoming, outgoing, fault.answer);
    incoming.resume();
    outgoing.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
    outgoing.end(JSON.stringify(fault.body ?? { kind: 'Status', message: 'by the proxy' }));
  }

  /** Asks the API server; the client gets nothing, or half of a body that was announced whole. */
  #spoil(incoming: IncomingMessage, outgoing: ServerResponse, how: 'lost' | 'cut'): void {
    const sent = this.#ask(incoming, async (answer) => {
      const body = await buffer(answer);
      if (how === 'lost') return outgoing.destroy();
      outgoing.writeHead(answer.statusCode ?? 502, {
        'content-type': 'application/json',
        'content-length': body.length,
      });
      return outgoing.write(body.subarray(0, body.length / 2), () => outgoing.destroy());
    });
    sent.once('error', () => outgoing.destroy());
  }

  #ask(incoming: IncomingMessage, take: (answer: IncomingMessage) => unknown): ClientRequest {
    const { method, headers } = incoming;
    const options = {
      method,
      headers: { ...headers, host: new URL(this.#api.server).host },
      agent: this.#agent,
    };
    const sent = request(new URL(this.rewrite(incoming.url ?? '/'), this.#api.server), options, take);
    incoming.pipe(sent);
    return sent;
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse, isWatch: boolean): void {
    const sent = this.#ask(incoming, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      if (isWatch) this.#watches.add(outgoing);
      answer.on('data', (chunk: Buffer) => {
        if (!(isWatch && this.frozen)) outgoing.write(chunk);
      });
      answer.once('end', () => outgoing.end());
      answer.once('error', () => outgoing.destroy());
    });
    sent.once('error', () => outgoing.destroy());
    outgoing.once('close', () => {
      this.#watches.delete(outgoing);
      sent.destroy();
    });
  }
}

/** Starts a proxy in front of an API server, on a free port of the loopback address. */
export async function startApiProxy(api: ApiServer): Promise<ApiProxy> {
  const proxy = new FaultyProxy(api);
  await proxy.start();
  return proxy;
}
