import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { endingWithUs } from '../../cluster/child-process.ts';
import type { CuttingProxy } from './cutting-proxy.ts';
import type { ProcessInput } from './process-input.ts';

const Line = z.union([
  z.object({ acked: z.array(z.tuple([z.number(), z.number()])), refused: z.number() }),
  z.object({ unknown: z.number() }),
  z.object({ failed: z.string() }),
  z.object({ ready: z.literal(true) }),
  z.object({ lost: z.literal(true) }),
  z.object({ seen: z.array(z.number()) }),
]);

/** What all writers together have said. */
export interface Heard {
  /** Event number -> position, as acknowledged. */
  acked: Map<number, number>;
  unknown: number;
  /** Answers that no outage explains. */
  failed: string[];
  refused: number;
}

/** A writer or reader in a process of its own. */
export class Proc {
  readonly #child: ChildProcess;
  readonly #heard: Heard | undefined;
  readonly ended: Promise<void>;
  ready = false;
  /** A reader has noticed that it was not shown everything. */
  hasLost = false;
  seen: number[] | undefined;
  errors = '';
  #rest = '';

  constructor(script: 'writer-process.ts' | 'reader-process.ts', input: ProcessInput, heard?: Heard) {
    this.#heard = heard;
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = spawn(...endingWithUs(process.execPath, [path, JSON.stringify(input)]), {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#onText(text));
    this.#child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (this.errors = (this.errors + text).slice(-4000)));
    this.ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  tell(text: string): void {
    this.#child.stdin?.write(text);
  }

  #onText(text: string): void {
    const lines = (this.#rest + text).split('\n');
    // A line that a kill has cut short was not acknowledged.
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(Line.parse(JSON.parse(line)));
  }

  #onLine(line: z.infer<typeof Line>): void {
    if ('ready' in line) this.ready = true;
    if ('lost' in line) this.hasLost = true;
    if ('seen' in line) this.seen = line.seen;
    if (this.#heard === undefined) return;
    if ('unknown' in line) this.#heard.unknown += line.unknown;
    if ('failed' in line) this.#heard.failed.push(line.failed);
    if (!('acked' in line)) return;
    this.#heard.refused += line.refused;
    for (const [eventNo, position] of line.acked) this.#heard.acked.set(eventNo, position);
  }
}

/** A copy of a `db/` folder that leads through a proxy. */
export async function throughProxy(directory: string, proxy: CuttingProxy): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'matrix-operator-test-db-'));
  await cp(directory, copy, { recursive: true });
  await writeFile(join(copy, 'port'), String(proxy.port));
  return copy;
}
