import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findProgram } from './local/packages.ts';
import { withProcessLock } from './process-lock.ts';
import { step } from './progress.ts';
import { canRun, runCommand } from './run-command.ts';
import { readSettings } from './settings.ts';

const TIMEOUT_MS = 15 * 60_000;

/**
 * A program of a Debian package, taken out of the package into the cache without installing it: some packages start a
 * server when they are installed. One that the system has is taken as it is. Where its libraries are is told by
 * `debianLibraries`.
 */
export async function debianProgram(name: string, fromPackage: string): Promise<string> {
  const installed = findProgram(name);
  if (installed !== undefined) return installed;
  const folder = join(readSettings().cacheDir, 'debian', fromPackage);
  const target = join(folder, 'usr', 'bin', name);
  if (existsSync(target)) return target;
  if (!(await canRun('apt-get')) || !(await canRun('dpkg'))) {
    throw new Error(`${name} is not there: install it (Debian's package ${fromPackage})`);
  }
  await withProcessLock('debian', 'another process unpacks a package', async () => {
    if (!existsSync(target)) await unpack(fromPackage, folder);
  });
  return target;
}

/** Environment for a program of `debianProgram`: where the libraries are that the system lacks. */
export async function debianLibraries(fromPackage: string): Promise<Record<string, string>> {
  const libraries = join(readSettings().cacheDir, 'debian', fromPackage, 'usr', 'lib');
  if (!existsSync(libraries)) return {};
  const folders = (await readdir(libraries)).filter((name) => name.endsWith('-linux-gnu'));
  return { LD_LIBRARY_PATH: folders.map((name) => join(libraries, name)).join(':') };
}

async function unpack(name: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  const options = { cwd: draft, timeoutMs: TIMEOUT_MS };
  await step(`unpacking Debian's package ${name}`, async () => {
    const update = process.getuid?.() === 0 ? [['update', '-q']] : [];
    // The user that apt drops to may not write here; root writes all the same.
    for (const args of update) await runCommand('apt-get', args, options);
    const packages = [name, ...(await missingLibraries(name))];
    await runCommand('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', ...packages], options);
    for (const file of (await readdir(draft)).filter((entry) => entry.endsWith('.deb'))) {
      await runCommand('dpkg', ['-x', file, 'tree'], options);
    }
  });
  await rm(folder, { recursive: true, force: true });
  await rename(join(draft, 'tree'), folder);
  await rm(draft, { recursive: true, force: true });
}

/** Libraries that the package itself asks for and the system lacks. */
async function missingLibraries(name: string): Promise<string[]> {
  const told = await runCommand('apt-cache', ['depends', name]);
  const wanted = [...told.matchAll(/^ +Depends: (lib[a-z0-9.+-]+)$/gm)].map(([, library = '']) => library);
  const installed = await Promise.all(wanted.map((library) => canRun('dpkg', ['-s', library])));
  return wanted.filter((_, index) => installed[index] !== true);
}
