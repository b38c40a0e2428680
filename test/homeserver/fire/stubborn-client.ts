import * as z from 'zod';

export interface StubbornRequest {
  token?: string;
  body?: object;
  /** Which replica is asked first. */
  at: number;
}

/** One request is given up after this, like a client would. */
const TIMEOUT_MS = 30_000;
const PAUSE_MS = 50;
/** With the pauses more than a minute. */
const MAX_TRIES = 1500;

/** What says: come again. Everything else that is not 200 is a fault, no outage explains it. */
const PASSING = new Set([429, 502, 503, 504]);

/** As a client behind a load balancer: when a replica does not answer or is not able to, the same request goes to the next one. */
export class StubbornClient {
  readonly #ports: readonly number[];
  /** Answers that no outage explains. */
  readonly faults: string[] = [];
  /** Requests that had to be sent again. */
  repeated = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  get replicas(): number {
    return this.#ports.length;
  }

  /** The body of the first answer of status 200. `path` is below /_matrix/client/v3. */
  async request(method: string, path: string, { token, body, at }: StubbornRequest): Promise<unknown> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const port = this.#ports[(at + attempt) % this.#ports.length];
      const answer = await this.#once(method, `http://127.0.0.1:${port}/_matrix/client/v3${path}`, { token, body });
      if (answer?.status === 200) return answer.body;
      if (answer !== undefined && !PASSING.has(answer.status)) {
        this.faults.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
        throw new Error(this.faults.at(-1));
      }
      this.repeated += 1;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    throw new Error(`${method} ${path} was never answered`);
  }

  /** Undefined when the connection broke before the whole answer was there. */
  async #once(method: string, url: string, { token, body }: { token: string | undefined; body: object | undefined }) {
    try {
      const response = await fetch(url, {
        method,
        headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { status: response.status, body: z.unknown().parse(await response.json()) };
    } catch {
      return undefined;
    }
  }
}
