import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Digest (12 hexadecimal digits) of the names and contents of files and folders and of further words, in this order. */
export async function inputDigest(paths: readonly string[], words: readonly string[] = []): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) await addPath(hash, path);
  for (const word of words) hash.update(`word ${word.length} ${word}\n`);
  return hash.digest('hex').slice(0, 12);
}

async function addPath(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return addFile(hash, path, '');
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort(byCodeUnits)) await addFile(hash, file, file.slice(path.length));
}

async function addFile(hash: ReturnType<typeof createHash>, file: string, name: string): Promise<void> {
  const content = await readFile(file);
  hash.update(`file ${name} ${content.length}\n`);
  hash.update(content);
}

/** The same order on every machine, whatever its language. */
function byCodeUnits(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
