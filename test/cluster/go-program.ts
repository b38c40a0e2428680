import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inputDigest } from './images/input-digest.ts';
import { withProcessLock } from './process-lock.ts';
import { step } from './progress.ts';
import { runCommand } from './run-command.ts';
import { readSettings } from './settings.ts';

export interface GoSource {
  readonly name: string;
  /** The one file it consists of. */
  readonly source: string;
  /** Version of each Go module that it imports. */
  readonly modules: Readonly<Record<string, string>>;
}

const BUILD_TIMEOUT_MS = 30 * 60_000;

/** Path of a program of this repository in Go, static, built when its source or a version has changed. */
export async function goProgram(wanted: GoSource): Promise<string> {
  const digest = await inputDigest([wanted.source], [JSON.stringify(wanted.modules)]);
  const target = join(readSettings().cacheDir, 'bin', `${wanted.name}-${digest}`, wanted.name);
  if (existsSync(target)) return target;
  await withProcessLock('build', 'another process builds from the Go module proxy', async () => {
    if (!existsSync(target)) await build(wanted, target);
  });
  return target;
}

async function build({ name, source, modules }: GoSource, target: string): Promise<void> {
  const folder = join(readSettings().cacheDir, 'src', name);
  await rm(folder, { recursive: true, force: true });
  await Promise.all([mkdir(folder, { recursive: true }), mkdir(dirname(target), { recursive: true })]);
  const required = Object.entries(modules).map(([module, version]) => `require ${module} ${version}\n`);
  await writeFile(join(folder, 'go.mod'), `module matrix-operator.test/${name}\n\ngo 1.24\n\n${required.join('')}`);
  await copyFile(source, join(folder, 'main.go'));
  const draft = `${target}.${process.pid}.partial`;
  const args = ['build', '-mod=mod', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', draft, '.'];
  const env = { CGO_ENABLED: '0', GOWORK: 'off' };
  await step(`building ${name} (only the first time)`, () =>
    runCommand('go', args, { cwd: folder, env, timeoutMs: BUILD_TIMEOUT_MS }),
  );
  await rename(draft, target);
}
