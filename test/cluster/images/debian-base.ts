import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrograms } from '../local/packages.ts';
import { step } from '../progress.ts';
import { runCommand } from '../run-command.ts';
import { readSettings } from '../settings.ts';
import { inputDigest } from './input-digest.ts';

const TIMEOUT_MS = 10 * 60_000;

/** Paths that no server needs: documents, manual pages, translations. */
const leftOut = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian'];

/**
 * A root file system of just these Debian 12 packages and what they need, as a tar file in the cache; their scripts are
 * not run. It is made again after 30 days, so that security updates reach images that are built later.
 */
export async function debianBase(name: string, packages: readonly string[], alsoLeftOut: string[]): Promise<string> {
  await ensurePrograms(['mmdebstrap']);
  const month = String(Math.floor(Date.now() / (30 * 86_400_000)));
  const digest = await inputDigest([], [...packages, ...alsoLeftOut, month]);
  const dir = join(readSettings().cacheDir, 'bases');
  const target = join(dir, `${name}-${digest}.tar`);
  if (existsSync(target)) return target;
  await mkdir(dir, { recursive: true });
  const draft = `${target}.${process.pid}.partial.tar`;
  const remove = [...leftOut, ...alsoLeftOut].map((path) => `rm -rf "$1"/${path}`).join('; ');
  const args = ['--variant=extract', `--include=${packages.join(',')}`, `--extract-hook=${remove}`, '--quiet'];
  await step(`making a root file system of Debian packages (${name})`, () =>
    runCommand('mmdebstrap', [...args, 'bookworm', draft], { timeoutMs: TIMEOUT_MS }),
  );
  await rename(draft, target);
  await removeOlder(dir, name, target);
  return target;
}

async function removeOlder(dir: string, name: string, kept: string): Promise<void> {
  for (const file of await readdir(dir)) {
    const path = join(dir, file);
    if (file.startsWith(`${name}-`) && path !== kept) await unlink(path);
  }
}
