import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AnswerReader, type Answer } from './answer-reader.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly token?: string | undefined;
  /** JSON. */
  readonly body?: string | undefined;
  /** Without one the body of the answer is only counted. */
  readonly wantsBody: boolean;
}

const TIMEOUT_MS = 90_000;
/** Servers close what was idle for long: a connection that was is not used again. */
const IDLE_MS = 20_000;
const READ_BYTES = 65_536;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Keep-alive connections of HTTP/1.1, one request at a time on each. Written by hand because the load runs on the cores
 * that are measured: a small answer costs the load 0.03 ms, with undici 0.08 and with node:http 0.09.
 */
export class Connections {
  readonly #url: URL;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();

  constructor(origin: string) {
    this.#url = new URL(origin);
  }

  async call(call: Call): Promise<Answer> {
    const connection = this.#take();
    const answer = await connection.exchange(this.#textOf(call), call.wantsBody);
    if (answer.closes) this.#drop(connection);
    else this.#idle.push(connection);
    return answer;
  }

  close(): void {
    for (const connection of this.#open) connection.close();
  }

  #take(): Connection {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      if (last.isUsable()) return last;
      this.#drop(last);
    }
    const connection = new Connection(this.#url);
    this.#open.add(connection);
    return connection;
  }

  #drop(connection: Connection): void {
    connection.close();
    this.#open.delete(connection);
  }

  #textOf({ method, path, token, body }: Call): string {
    const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#url.host}\r\n${authorization}`;
    if (body === undefined) return `${head}\r\n`;
    const length = Buffer.byteLength(body);
    return `${head}content-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  #waiting: Waiting | undefined;
  #usedAt = performance.now();

  constructor(url: URL) {
    this.#socket = open(url, (piece) => {
      this.#read(piece);
    });
    this.#socket.setNoDelay(true);
    this.#socket.setTimeout(TIMEOUT_MS, () => this.#socket.destroy(new Error(`no answer for ${TIMEOUT_MS / 1000} s`)));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
    this.#socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
  }

  isUsable(): boolean {
    return !this.#socket.destroyed && this.#socket.readable && performance.now() - this.#usedAt < IDLE_MS;
  }

  exchange(request: string, wantsBody: boolean): Promise<Answer> {
    this.#reader.expect(wantsBody ? 'kept' : 'counted');
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting = { resolve, reject };
    this.#socket.write(request);
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(piece: Buffer): void {
    try {
      const answer = this.#reader.feed(piece);
      if (answer === undefined) return;
      this.#usedAt = performance.now();
      this.#waiting?.resolve(answer);
      this.#waiting = undefined;
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** One buffer a connection, into which everything is read: a new one for each read costs as much as the rest. */
function open({ protocol, hostname, port }: URL, read: (piece: Buffer) => void): Socket {
  const isTls = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isTls) return connectTls({ host, port: Number(port || 443), servername: host }).on('data', read);
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const callback = (length: number) => {
    read(buffer.subarray(0, length));
    return true;
  };
  return connect({ host, port: Number(port || 80), onread: { buffer, callback } });
}
