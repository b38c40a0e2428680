import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensurePrograms } from '../local/packages.ts';
import { canRun, runCommand, tryCommand } from '../run-command.ts';
import { readSettings } from '../settings.ts';

export interface ImageBuild {
  /** Folder of the build context. */
  context: string;
  dockerfile: string;
  reference: string;
  buildArguments: Record<string, string>;
}

/** A program that builds images from a Dockerfile. */
export interface ImageEngine {
  name: 'docker' | 'buildah';
  /** Builds and keeps the image in the engine's own store. */
  build: (image: ImageBuild) => Promise<void>;
  /** Writes an image of the store as one archive that containerd, Docker and kind can read. */
  save: (reference: string, archive: string) => Promise<void>;
  /** The same in the older format that every Docker engine reads (before version 25 the only one). */
  saveForDocker: (reference: string, archive: string) => Promise<void>;
  /** Whether its store has an image. */
  has: (reference: string) => Promise<boolean>;
  /** Removes images of the repository `localhost/<name>` from its store, all but the one with the kept tag. */
  prune: (name: string, keptTag?: string) => Promise<void>;
}

const BUILD_TIMEOUT_MS = 15 * 60_000;

/** Docker if its engine answers, else buildah, which needs no engine but root. */
export async function imageEngine(): Promise<ImageEngine> {
  if (await dockerAnswers()) return docker;
  if (await canRun('buildah', ['--version'])) return buildah;
  throw new Error('to build images, start Docker or install buildah (Debian package buildah) and run as root');
}

/** The engine, installed first if there is none and we may. */
export async function preparedEngine(): Promise<ImageEngine> {
  if (await dockerAnswers()) return docker;
  await ensurePrograms(['buildah']);
  return imageEngine();
}

/** Whether there is a Docker engine that we may use. */
export function dockerAnswers(): Promise<boolean> {
  return canRun('docker', ['version', '--format', '{{.Server.Version}}']);
}

const saveFromDocker: ImageEngine['save'] = (reference, archive) =>
  written(archive, (draft) => runCommand('docker', ['save', '--output', draft, reference], { timeoutMs: 300_000 }));

const docker: ImageEngine = {
  name: 'docker',
  build: async ({ context, dockerfile, reference, buildArguments }) => {
    const args = ['build', '--tag', reference, '--file', dockerfile, ...argumentFlags(buildArguments), context];
    await runCommand('docker', args, { timeoutMs: BUILD_TIMEOUT_MS });
  },
  save: saveFromDocker,
  saveForDocker: saveFromDocker,
  has: async (reference) => (await tryCommand('docker', ['image', 'inspect', reference])).code === 0,
  prune: (name, keptTag) => prune(['docker'], name, keptTag),
};

// A store of its own: a user's other images stay out of sight. vfs works on every file system, also inside containers.
const buildahStore = (): string[] => {
  const root = join(readSettings().cacheDir, 'buildah');
  return ['--root', root, '--runroot', join(root, 'run'), '--storage-driver', 'vfs'];
};

/** Even a build without network makes a lock in the folder of network settings, by default in /etc. */
async function buildahEnvironment(): Promise<Record<string, string>> {
  const dir = join(readSettings().cacheDir, 'buildah');
  await mkdir(dir, { recursive: true });
  const file = join(dir, 'containers.conf');
  await writeFile(file, `[network]\nnetwork_config_dir = ${JSON.stringify(join(dir, 'networks'))}\n`);
  return { CONTAINERS_CONF: file };
}

const buildah: ImageEngine = {
  name: 'buildah',
  build: async ({ context, dockerfile, reference, buildArguments }) => {
    const flags = ['--isolation', 'chroot', '--pull-never', '--format', 'oci', '--tag', reference];
    const files = ['--file', dockerfile, ...argumentFlags(buildArguments), context];
    const env = await buildahEnvironment();
    await runCommand('buildah', [...buildahStore(), 'bud', ...flags, ...files], { timeoutMs: BUILD_TIMEOUT_MS, env });
  },
  save: (reference, archive) => saveFromBuildah('oci-archive', reference, archive),
  saveForDocker: (reference, archive) => saveFromBuildah('docker-archive', reference, archive),
  has: async (reference) =>
    (await tryCommand('buildah', [...buildahStore(), 'inspect', '--type', 'image', reference])).code === 0,
  // A vfs store holds whole copies: 165 MB for each build of our image.
  prune: (name, keptTag) => prune(['buildah', ...buildahStore()], name, keptTag),
};

function saveFromBuildah(format: 'oci-archive' | 'docker-archive', reference: string, archive: string): Promise<void> {
  return written(archive, (draft) =>
    runCommand('buildah', [...buildahStore(), 'push', reference, `${format}:${draft}:${reference}`], {
      timeoutMs: 300_000,
    }),
  );
}

async function prune([command = '', ...flags]: string[], name: string, keptTag?: string): Promise<void> {
  const list = ['images', '--filter', `reference=localhost/${name}`, '--format', '{{.Tag}}'];
  const listed = await tryCommand(command, [...flags, ...list]);
  const tags = listed.code === 0 ? listed.stdout.split('\n').filter((tag) => tag !== '' && tag !== keptTag) : [];
  for (const tag of tags) await tryCommand(command, [...flags, 'rmi', `localhost/${name}:${tag}`]);
}

function argumentFlags(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
}

async function written(archive: string, write: (draft: string) => Promise<unknown>): Promise<void> {
  const draft = `${archive}.${process.pid}.partial`;
  await rm(draft, { force: true });
  await write(draft);
  await rename(draft, archive);
}

const KEPT_ARCHIVES = 3;

/** Where the archive of an image with these inputs is. */
export function archivePath(name: string, digest: string): string {
  return join(readSettings().cacheDir, 'images', `${name}-${digest}.tar`);
}

/** Makes room for an archive: all but the newest two others of the name are removed. */
export async function prepareArchives(name: string, wanted: string): Promise<void> {
  const dir = dirname(wanted);
  await mkdir(dir, { recursive: true });
  const others = (await readdir(dir)).filter((file) => file.startsWith(`${name}-`) && join(dir, file) !== wanted);
  const dated = await Promise.all(others.map(async (file) => ({ file, at: (await stat(join(dir, file))).mtimeMs })));
  const old = dated.sort((one, other) => other.at - one.at).slice(KEPT_ARCHIVES - 1);
  for (const { file } of old) await rm(join(dir, file), { force: true });
}
