import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endingWithUs } from '../../cluster/child-process.ts';
import { bundle } from '../../support/bundle.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { imageEnvironment } from '../../support/image-environment.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Lines of the log that are kept for the message of a failure. */
const MAX_ERRORS = 20;

/** A replica in a process of its own, always on the same port. */
export class ReplicaProcess {
  readonly port: number;
  /** Lines of level error that the replica wrote. */
  readonly errors: string[] = [];
  /** How often the process ended without having been killed by us. */
  deaths = 0;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;

  constructor(port: number, command: readonly string[]) {
    this.port = port;
    this.#command = command;
  }

  /** Starts the process; resolves once it may be sent requests. */
  async start(): Promise<void> {
    const child = spawn(...endingWithUs(process.execPath, this.#command), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: imageEnvironment(),
    });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.once('exit', () => {
      if (this.#child === child) this.deaths += 1;
    });
    await waitFor(() => this.isReady(), { what: `the replica at port ${this.port} to be ready` });
  }

  async isReady(): Promise<boolean> {
    return (await fetch(`http://127.0.0.1:${this.port}/readyz`)).ok;
  }

  /** Ends the process in the middle of whatever it does. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await ended;
  }

  #read(text: string): void {
    for (const line of text.split('\n'))
      if (line.startsWith('{"level":"error"') && this.errors.length < MAX_ERRORS) this.errors.push(line);
  }
}

/** Writes a configuration for each of `count` replicas and starts them all, as the image runs them. */
export async function startReplicas(count: number, folder: string, config: object): Promise<ReplicaProcess[]> {
  const program = join(await bundle(), 'homeserver.mjs');
  const replicas = [];
  for (let i = 0; i < count; i += 1) {
    const port = await freePort();
    const file = join(folder, `replica-${i}.yaml`);
    const listeners = { http: { host: '127.0.0.1', port }, metrics: { host: '127.0.0.1', port: 0 } };
    await writeFile(file, JSON.stringify({ ...config, listeners }));
    replicas.push(new ReplicaProcess(port, [program, 'serve', '--config', file]));
  }
  await Promise.all(replicas.map((replica) => replica.start()));
  return replicas;
}
