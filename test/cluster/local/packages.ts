import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withProcessLock } from '../process-lock.ts';
import { step } from '../progress.ts';
import { canRun, runCommand } from '../run-command.ts';
import { readSettings } from '../settings.ts';

/** A program of the system and the Debian package that has it. */
const sources = {
  etcd: 'etcd-server',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  nft: 'nftables',
  ip: 'iproute2',
  conntrack: 'conntrack',
  socat: 'socat',
  openssl: 'openssl',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  mount: 'mount',
  buildah: 'buildah',
  mmdebstrap: 'mmdebstrap',
} as const;
export type SystemProgram = keyof typeof sources;

/** What a node and its images need of the system; socat and conntrack are kubelet's. */
export const nodePrograms: readonly SystemProgram[] = [
  'etcd',
  'containerd',
  'ctr',
  'runc',
  'nft',
  'ip',
  'conntrack',
  'socat',
  'openssl',
  'unshare',
  'nsenter',
  'mount',
];

const INSTALL_TIMEOUT_MS = 15 * 60_000;

/** Absolute path of a program of the system, or undefined. */
export function findProgram(name: string): string | undefined {
  return readSettings()
    .path.split(':')
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, name))
    .find((path) => existsSync(path));
}

/** Absolute path of a program that must be there. */
export function systemProgram(name: SystemProgram): string {
  const found = findProgram(name);
  if (found === undefined) throw new Error(`${name} is not installed (Debian package ${sources[name]})`);
  return found;
}

/** Installs what is missing of the programs, with Debian's package manager as root; elsewhere says what to install. */
export async function ensurePrograms(wanted: readonly SystemProgram[], extraPackages: string[] = []): Promise<void> {
  const packages = missingPackages(wanted, extraPackages);
  if (packages.length === 0) return;
  if (process.getuid?.() !== 0 || !(await canRun('apt-get'))) {
    throw new Error(`install these first (names of Debian's packages): ${packages.join(' ')}`);
  }
  // Only one package manager may run, and what it did while we waited may be all we need.
  await withProcessLock('debian', 'packages are being installed', () =>
    install(missingPackages(wanted, extraPackages)),
  );
}

function missingPackages(wanted: readonly SystemProgram[], extraPackages: readonly string[]): string[] {
  const missing = wanted.filter((name) => findProgram(name) === undefined);
  return [...new Set([...missing.map((name) => sources[name]), ...extraPackages])];
}

async function install(packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return;
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeoutMs: INSTALL_TIMEOUT_MS };
  await step("reading Debian's package lists", () => runCommand('apt-get', ['update', '-q'], options));
  const words = ['install', '-q', '-y', '--no-install-recommends', ...packages];
  await step(`installing ${packages.join(' ')}`, () => runCommand('apt-get', words, options));
}
