import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Stands before a PostgreSQL server. `open` passes everything on; `hang` accepts and never answers; `refuse` closes every
 * connection at once. `freeze` hangs in the middle: what is open stays open, and nothing passes any more.
 */
export class TcpProxy {
  port = 0;
  /** How many bytes of answers a connection gets before it is cut. */
  cutAfter = Number.POSITIVE_INFINITY;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#accept(socket));
  #mode: 'open' | 'hang' | 'refuse' = 'open';
  /** By how much answers come later, ms. */
  delayMs = 0;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.port = address.port;
    return this;
  }

  /** From now on; connections that are open are cut. */
  set mode(mode: 'open' | 'hang' | 'refuse') {
    this.#mode = mode;
    this.cut();
  }

  /** Until `mode` is set. New connections hang too. */
  freeze(): void {
    this.#mode = 'hang';
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Ends everything that is open now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  get open(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    if (this.#mode === 'refuse') socket.destroy();
    if (this.#mode !== 'open') return;
    const upstream = connect(this.#target);
    upstream.on('error', () => socket.destroy());
    // One after the other, also when the delay changes in between.
    let passed: Promise<unknown> = Promise.resolve();
    const pass = (what: () => unknown) => {
      passed = passed.then(() => (this.delayMs > 0 ? pause(this.delayMs) : undefined)).then(what);
    };
    // After what was answered last: a server that refuses a login closes right after its words.
    upstream.once('close', () => pass(() => socket.end()));
    socket.once('close', () => upstream.destroy());
    let left = this.cutAfter;
    upstream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) socket.destroy();
      pass(() => socket.write(chunk));
    });
    socket.pipe(upstream);
  }
}
