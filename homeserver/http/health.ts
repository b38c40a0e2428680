import type { FastifyInstance } from 'fastify';
import { PROBES } from '../contract/layout.ts';
import type { ReadyAnswer } from '../contract/readiness.ts';

/** One thing that has to work before this replica may be sent requests: undefined when it does, else what is wrong. */
export type ReadinessCheck = () => Promise<string | undefined>;

/** Longest time for all checks together, ms: three of them that fail fit into the 5 s within which a status has to say so. */
const CHECK_TIMEOUT_MS = 1000;
const MAX_PROBLEM = 2000;

/** What /readyz answers. */
export class Readiness {
  readonly #checks: readonly ReadinessCheck[];
  readonly #media: { readonly problem: string | undefined } | undefined;
  #draining = false;
  #underWay: Promise<string | undefined> | undefined;

  /** `media`: what is known of the bucket for files, if there is one; a replica is ready without it. */
  constructor(checks: readonly ReadinessCheck[], media?: { readonly problem: string | undefined }) {
    this.#checks = checks;
    this.#media = media;
  }

  /** Of a replica that is ready. */
  get answer(): ReadyAnswer {
    if (this.#media === undefined) return { status: 'ready' };
    const { problem } = this.#media;
    return { status: 'ready', media: problem === undefined ? {} : { problem: problem.slice(0, MAX_PROBLEM) } };
  }

  /** From now on the answer is no, for good. */
  drain(): void {
    this.#draining = true;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Why this replica is not ready, or undefined. Probes that come together share one look. */
  async problem(): Promise<string | undefined> {
    if (this.#draining) return 'shutting down';
    this.#underWay ??= this.#look().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #look(): Promise<string | undefined> {
    const { promise: timeout, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(resolve, CHECK_TIMEOUT_MS, `no answer within ${CHECK_TIMEOUT_MS} ms`);
    try {
      const answers = Promise.all(this.#checks.map((check) => check()));
      const found = await Promise.race([timeout, answers]);
      return typeof found === 'string' ? found : found.find((problem) => problem !== undefined);
    } catch {
      return 'the database does not answer';
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The probes, on the HTTP port: /healthz says that the process runs, /readyz that it may be sent requests. */
export function serveHealth(server: FastifyInstance, readiness: Readiness): void {
  server.get(PROBES.live, () => ({ status: 'ok' }));
  server.get(PROBES.ready, async (_request, reply) => {
    const problem = await readiness.problem();
    if (problem === undefined) return readiness.answer;
    return reply.code(503).send({ status: 'not ready', because: problem });
  });
}
