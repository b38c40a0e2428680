import { readFile, readdir } from 'node:fs/promises';

/** CPU time so far, ms. */
export interface ServerCpu {
  readonly process: number;
  readonly database: number;
}

/** Of a process, and of the sessions and helpers of a PostgreSQL server. */
export async function cpuTimeOf(pid: number, postmaster: number): Promise<ServerCpu> {
  const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').catch(() => '');
  const servers = children.trim().split(' ').map(Number);
  const times = await Promise.all(servers.map(timeOf));
  return { process: await timeOf(pid), database: times.reduce((sum, time) => sum + time, 0) };
}

/** Of all threads of a process. */
async function timeOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const times = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0')),
  );
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1e6, 0);
}
