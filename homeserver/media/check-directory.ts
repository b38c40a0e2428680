import { randomBytes } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Why files cannot be kept in the directory, or undefined. Writes one small file and removes it. */
export async function directoryProblem(directory: string): Promise<string | undefined> {
  const probe = join(directory, `.writable-${randomBytes(8).toString('hex')}`);
  try {
    if (!(await stat(directory)).isDirectory()) return `${directory} is not a directory`;
    await writeFile(probe, '', { flag: 'wx' });
    await rm(probe, { force: true });
    return undefined;
  } catch (error) {
    return `${directory} cannot be written: ${error instanceof Error && 'code' in error ? String(error.code) : 'failed'}`;
  }
}
