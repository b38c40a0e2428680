import { createServer, type Server } from 'node:net';
import { waitFor } from '../support/wait-for.ts';
import { say } from './progress.ts';

const LOCK_TIMEOUT_MS = 45 * 60_000;

/**
 * Runs `work` while no other process on this machine runs work under the same name; waits for up to 45 minutes.
 * The lock is a Linux abstract socket, which the kernel frees when its holder ends in any way, so it is never stale.
 * Elsewhere there is no lock: what runs there (building one binary) ends in a rename and may be done twice.
 */
export async function withProcessLock<T>(name: string, held: string, work: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return work();
  const socket = `\0matrix-operator:${process.getuid?.() ?? 0}:${name}`;
  let server = await tryListen(socket);
  if (server === undefined) {
    say(`- waiting: ${held}`);
    const what = `the other process to finish: ${held}`;
    server = await waitFor(() => tryListen(socket), { what, timeoutMs: LOCK_TIMEOUT_MS, everyMs: 250 });
  }
  try {
    return await work();
  } finally {
    await close(server);
  }
}

function tryListen(socket: string): Promise<Server | undefined> {
  const server = createServer((connection) => connection.destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(socket, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
