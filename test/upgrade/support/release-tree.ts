import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { Catalogue } from '../../../operator/upgrades/catalogue.ts';
import { say, step } from '../../cluster/progress.ts';
import { runCommand, tryCommand } from '../../cluster/run-command.ts';
import previous from '../previous-release.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '..', '..', '..');
const { version, commit } = z
  .strictObject({ version: z.string(), commit: z.string().regex(/^[0-9a-f]{40}$/) })
  .parse(previous);

/** The release that users may have, as test/upgrade/previous-release.json names it. */
export const PREVIOUS_VERSION = version;

/** The sources of a release in a temporary folder, with the packages they need. */
export interface ReleaseTree {
  readonly folder: string;
  remove(): Promise<void>;
}

/** Takes the previous release out of the history; where that lacks it, this tree stands in. */
export async function previousTree(): Promise<ReleaseTree> {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-release-'));
  await ((await hasCommit()) ? checkOut(folder) : standIn(folder));
  await addPackages(folder);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A clone that is not whole asks where it came from. */
async function hasCommit(): Promise<boolean> {
  const git = async (...args: string[]) =>
    (await tryCommand('git', args, { cwd: ROOT, timeoutMs: 120_000 }).catch(() => undefined))?.code === 0;
  const isHere = () => git('cat-file', '-e', `${commit}^{commit}`);
  return (await isHere()) || ((await git('fetch', '--depth', '1', 'origin', commit)) && isHere());
}

async function checkOut(folder: string): Promise<void> {
  const archive = join(folder, 'release.tar');
  await runCommand('git', ['archive', '--format=tar', `--output=${archive}`, commit], { cwd: ROOT });
  await runCommand('tar', ['-xf', archive, '-C', folder]);
  await rm(archive);
}

const PARTS = ['charts', 'crds', 'homeserver', 'operator', 'test', 'package.json', 'package-lock.json', 'Dockerfile'];

async function standIn(folder: string): Promise<void> {
  say(
    `! The history here has no commit ${commit}, which is release ${version}, and "git fetch origin" does not bring it:`,
  );
  say(`! THE UPGRADE BEGINS FROM THIS TREE UNDER THE VERSION ${version}, NOT FROM THE RELEASE. A whole clone has it.`);
  for (const part of PARTS) await cp(join(ROOT, part), join(folder, part), { recursive: true });
  const rewrite = async (path: string, change: (text: string) => string) =>
    writeFile(join(folder, path), change(await readFile(join(folder, path), 'utf8')));
  await rewrite('package.json', (text) => text.replace(/"version": "[^"]*"/, `"version": "${version}"`));
  await rewrite('charts/matrix-operator/Chart.yaml', (text) =>
    text.replaceAll(/^(version|appVersion): .*$/gm, `$1: ${version}`),
  );
  await rewrite('operator/upgrades/versions.json', (text) => {
    const { versions, default: own } = Catalogue.parse(JSON.parse(text));
    const entry = { ...versions[own], upgradeFrom: version, minOperator: version };
    return JSON.stringify({ default: version, versions: { [version]: entry } });
  });
}

const Lock = z.looseObject({ version: z.unknown(), packages: z.record(z.string(), z.looseObject({})) });

/** Our packages if they are those of the release, else its own. */
async function addPackages(folder: string): Promise<void> {
  const [wanted, ours] = await Promise.all([lockedIn(folder), lockedIn(ROOT)]);
  if (isDeepStrictEqual(wanted, ours)) return symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'node_modules'));
  const args = ['ci', '--no-audit', '--no-fund'];
  await step(`installing the packages of release ${version}`, () =>
    runCommand('npm', args, { cwd: folder, timeoutMs: 15 * 60_000 }),
  );
}

/** What the lockfile of a tree names, without the tree itself. */
async function lockedIn(folder: string): Promise<unknown> {
  const { packages } = Lock.parse(JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')));
  return { ...packages, '': undefined };
}
