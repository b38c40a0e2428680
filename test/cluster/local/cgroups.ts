import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withProcessLock } from '../process-lock.ts';

/** Folder of an instance below every cgroup hierarchy. */
export function cgroupOf(instance: string): string {
  return `/matrix-operator/${instance}`;
}

/** Makes the folder of an instance in every cgroup hierarchy; pods' cgroups go below it, apart from all others. */
export async function createCgroup(path: string): Promise<void> {
  await withProcessLock('cgroups', 'another cluster makes its cgroups', () => createFolders(path));
}

async function createFolders(path: string): Promise<void> {
  for (const root of hierarchies(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    let parent = root;
    for (const part of path.split('/').filter(Boolean)) {
      const folder = join(parent, part);
      await mkdir(folder, { recursive: true });
      await passOnControllers(parent);
      await inheritCpus(parent, folder);
      parent = folder;
    }
  }
}

/** In cgroup v2 a folder has only the controllers that its parent passes on; kubelet wants them all. */
async function passOnControllers(parent: string): Promise<void> {
  const file = join(parent, 'cgroup.subtree_control');
  if (!existsSync(file)) return;
  const words = async (path: string): Promise<string[]> =>
    (await readFile(path, 'utf8')).split(/\s/).filter((word) => word !== '');
  const passed = new Set(await words(file));
  const missing = (await words(join(parent, 'cgroup.controllers'))).filter((controller) => !passed.has(controller));
  for (const controller of missing) await writeFile(file, `+${controller}`);
}

/** A new cpuset of cgroup v1 has no processors: nothing can run in it before it is given its parent's. */
async function inheritCpus(parent: string, folder: string): Promise<void> {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const own = join(folder, name);
    if (!existsSync(own) || existsSync(join(folder, 'cgroup.controllers'))) continue;
    if ((await readFile(own, 'utf8')).trim() === '') await writeFile(own, await readFile(join(parent, name), 'utf8'));
  }
}

/**
 * Removes the folder of an instance from every hierarchy, and the one around it if that was the last.
 * Throws EBUSY while a process is still in it.
 */
export async function removeCgroup(path: string): Promise<void> {
  await withProcessLock('cgroups', 'another cluster makes its cgroups', async () => {
    for (const folder of cgroupFolders(path)) {
      await removeTree(folder, 0);
      await rmdir(dirname(folder)).catch(() => undefined); // another instance is still in it
    }
  });
}

/** The folders of an instance that exist. */
export function cgroupFolders(path: string): string[] {
  const roots = hierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));
  return roots.map((root) => join(root, path)).filter((folder) => existsSync(folder));
}

/** Mount points of every cgroup hierarchy, v1 or v2, as listed in /proc/self/mountinfo. */
export function hierarchies(mountinfo: string): string[] {
  const found = new Set<string>();
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const mountPoint = before.split(' ')[4];
    if (mountPoint !== undefined && /^cgroup2? /.test(after)) found.add(mountPoint);
  }
  return [...found];
}

// kubepods/besteffort/pod…/container is four deep; a container may make its own below.
const MAX_DEPTH = 12;

async function removeTree(folder: string, depth: number): Promise<void> {
  if (depth > MAX_DEPTH) throw new Error(`${folder}: cgroups nested too deep`);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(folder, entry.name), depth + 1);
  }
  await rmdir(folder);
}
