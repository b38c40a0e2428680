import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkObjectName, type ObjectStore, ObjectStoreError } from './object-store.ts';

/** Objects as files under a directory; a file has its name only once it is whole and on disk. */
export function openDirectoryStore(directory: string): ObjectStore {
  const pathOf = (name: string) => {
    checkObjectName(name);
    return join(directory, name);
  };
  return {
    place: directory,
    put: (name, bytes) => guarded(() => writeWhole(pathOf(name), bytes)),
    get: (name, maxBytes) => guarded(() => readWhole(pathOf(name), maxBytes)),
    list: (prefix) => listFiles(directory, prefix),
    listFolders: (prefix) => guarded(() => listFolders(directory, prefix)),
    delete: (name) => guarded(() => removeFile(directory, pathOf(name))),
    close: () => Promise.resolve(),
  };
}

const DRAFT = '.partial';

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}${DRAFT}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

async function readWhole(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const { size } = (await absentAs(stat(path), undefined)) ?? { size: -1 };
  if (size < 0) return undefined;
  if (size > maxBytes) throw new ObjectStoreError(`${path} is larger than ${maxBytes} bytes`, { passing: false });
  return absentAs(readFile(path), undefined);
}

async function* listFiles(directory: string, prefix: string): AsyncGenerator<string> {
  const entries = await guarded(() => absentAs(readdir(join(directory, prefix), { withFileTypes: true }), []));
  for (const entry of entries.sort((a, b) => compareBytes(a.name, b.name))) {
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) yield* listFiles(directory, `${name}/`);
    else yield name;
  }
}

async function listFolders(directory: string, prefix: string): Promise<string[]> {
  const entries = await absentAs(readdir(join(directory, prefix), { withFileTypes: true }), []);
  const folders = entries.filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => `${prefix}${name}/`).sort(compareBytes);
}

async function removeFile(directory: string, path: string): Promise<void> {
  await absentAs(unlink(path), undefined);
  // Folders go with their last file; one that is not empty stays.
  for (let folder = dirname(path); folder.length > directory.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return;
    }
  }
}

async function absentAs<T, Absent>(work: Promise<T>, absent: Absent): Promise<T | Absent> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return absent;
    throw error;
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ObjectStoreError || cause instanceof TypeError) throw cause;
    throw new ObjectStoreError(cause instanceof Error ? cause.message : 'the directory failed', {
      passing: false,
      cause,
    });
  }
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
