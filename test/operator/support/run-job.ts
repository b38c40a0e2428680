import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { verify } from '../../../homeserver/backup/verify.ts';
import type { HomeserverConfig } from '../../../homeserver/contract/config-schema.ts';
import { ExpectedProgram } from '../../../homeserver/contract/expected-program.ts';
import { createLogger } from '../../../homeserver/log.ts';
import { migrate } from '../../../homeserver/storage/migrate.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { runProgram } from './run-program.ts';
import type { TestProgram } from './test-programs.ts';
import { programOf } from './test-programs.ts';
import { mounts, podOf } from './workload.ts';

/**
 * What upgrades run runs in this process, which is quicker; everything else as the program that its pod would run. `program` takes
 * the place of the one in the image.
 */
export function runJob(client: KubeClient, job: KubeObject, program?: TestProgram): Promise<number> {
  const { image, args } = podOf(job);
  const [, command] = args;
  if (command === 'migrate')
    return inMounts(client, job, (pod) => runMigration(pod, program ?? programOf(image), args));
  if (command === 'verify') return inMounts(client, job, runVerify);
  return runProgram(client, job);
}

type MountedConfig = Pick<HomeserverConfig, 'serverName' | 'database'>;

/** Runs `work` with the database of a pod, its files in a folder of their own. */
async function inMounts(
  client: KubeClient,
  job: KubeObject,
  work: (pod: MountedConfig) => Promise<number>,
): Promise<number> {
  const { config, database } = await mounts(client, job);
  const directory = await mkdtemp(join(tmpdir(), 'matrix-operator-job-'));
  try {
    for (const [file, text] of Object.entries(database)) await writeFile(join(directory, file), text);
    return await work({ serverName: config.serverName, database: { ...config.database, directory } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Runs `migrate PHASE --json --expect JSON` as the container would. */
async function runMigration(pod: MountedConfig, program: TestProgram, args: readonly string[]): Promise<number> {
  const [, , phase = '', , , expected = ''] = args;
  const result = await migrate(z.enum(['plan', 'expand', 'contract']).parse(phase), {
    ...pod,
    softwareVersion: program.version,
    expected: ExpectedProgram.parse(JSON.parse(expected)),
    program,
    log: createLogger({ level: 'silent' }),
  });
  return result.exitCode;
}

/** Runs `verify` as the container would. */
async function runVerify({ serverName, database }: MountedConfig): Promise<number> {
  const connection = { database, applicationName: 'homeserver-verify' };
  const { whole } = await verify({ connection, serverName, sample: 1000, timeLimitMs: 60_000 });
  return whole ? 0 : 1;
}
