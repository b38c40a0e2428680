import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from '../process-identity.ts';
import { runInside } from './namespaces.ts';

/** Folders of the machine that are covered by others inside the node: nothing of the instance may lie in them. */
const covered = ['/run', '/var/run', '/var/log', '/var/lib'];

/**
 * Gives the node file systems of its own where its programs write at fixed places (sockets in /run, kubelet's and the
 * network plugins' records in /var/lib, links to logs in /var/log). They are in the instance's folder or in memory.
 */
export async function isolateFiles(init: ProcessIdentity, dir: string): Promise<void> {
  const clash = covered.find((folder) => `${dir}/`.startsWith(`${folder}/`));
  if (clash !== undefined)
    throw new Error(`a cluster cannot be kept in ${clash}: set XDG_STATE_HOME to another folder`);
  const log = join(dir, 'node-files', 'log');
  const changed = join(dir, 'node-files', 'lib');
  const work = join(dir, 'node-files', 'work');
  for (const folder of [log, changed, work]) await mkdir(folder, { recursive: true });
  const script = [
    'mount --make-rshared /',
    'mount -t tmpfs -o mode=755 run /run',
    'mkdir -p /run/lock /run/containerd',
    'mount --bind "$1" /var/log',
    'mount -t overlay -o "lowerdir=/var/lib,upperdir=$2,workdir=$3" var-lib /var/lib',
  ];
  await runInside(init, ['sh', '-ec', script.join('\n'), 'sh', log, changed, work]);
}
