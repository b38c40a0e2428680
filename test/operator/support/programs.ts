import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { apiServerPrograms } from '../../cluster/api-server.ts';
import { buildAll } from '../../cluster/binaries.ts';
import { debianProgram } from '../../cluster/debian-program.ts';
import { bundle } from '../../support/bundle.ts';
import { healthProgram } from '../gitops/health-program.ts';

/**
 * Global set-up: on a new machine the programs are built for minutes, which no test or hook has in its time limit. The
 * tests start ours some two hundred times: as one file each they are there in half the time, 0.2 s of CPU.
 */
export default async function setup(project: TestProject): Promise<void> {
  const morePrograms = { 'mortal-operator': join(import.meta.dirname, 'operator-process.ts') };
  const folder = await bundle({ folder: 'operator-tests', plugins: [], moreMigrations: [], morePrograms });
  project.provide('programs', folder);
  // Only a process that ends by itself keeps in NODE_COMPILE_CACHE what it compiled, and most of those here are killed.
  for (const program of ['homeserver', 'operator']) {
    await promisify(execFile)(process.execPath, [join(folder, `${program}.mjs`), '--help']);
  }
  await apiServerPrograms();
  await buildAll(['helm']);
  await healthProgram();
  await debianProgram('promtool', 'prometheus');
  await debianProgram('turnserver', 'coturn');
}
