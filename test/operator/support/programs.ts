import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { apiServerPrograms } from '../../cluster/api-server.ts';
import { buildAll } from '../../cluster/binaries.ts';
import { debianProgram } from '../../cluster/debian-program.ts';
import { healthProgram } from '../gitops/health-program.ts';

const WARM = join(import.meta.dirname, '..', '..', 'support', 'warm-compile-cache.ts');

/**
 * Global set-up: on a new machine the programs are built for minutes, which no test or hook has in its time limit.
 */
export default async function setup(): Promise<void> {
  await promisify(execFile)(process.execPath, [WARM]);
  await apiServerPrograms();
  await buildAll(['helm']);
  await healthProgram();
  await debianProgram('promtool', 'prometheus');
}
