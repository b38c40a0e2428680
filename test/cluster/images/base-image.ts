import { copyFile, link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSettings } from '../settings.ts';
import { buildBase } from './build-image.ts';
import type { ImageEngine } from './engine.ts';
import { inputDigest } from './input-digest.ts';

export interface BaseImage {
  name: string;
  /** Tar file of the root file system. */
  rootFiles: string;
  /** Further files: path in the image -> path here. */
  copied?: Record<string, string>;
  /** Further files: path in the image -> text. */
  written?: Record<string, string>;
}

const dockerfile = join(import.meta.dirname, 'base', 'Dockerfile');

/** Makes a base image of a tar file and a few files beside it; gives its reference in the engine's store. */
export async function baseImage(engine: ImageEngine, base: BaseImage): Promise<string> {
  const copied = Object.entries(base.copied ?? {});
  const written = Object.entries(base.written ?? {});
  const digest = await inputDigest([base.rootFiles, ...copied.map(([, from]) => from), dockerfile], written.flat());
  const reference = `localhost/matrix-operator-base-${base.name}:${digest}`;
  if (await engine.has(reference)) return reference;
  const cache = readSettings().cacheDir;
  await mkdir(cache, { recursive: true });
  const context = await mkdtemp(join(cache, 'context-'));
  try {
    await link(base.rootFiles, join(context, 'base.tar'));
    for (const [path, from] of copied) await copyFile(from, await place(context, path));
    for (const [path, text] of written) await writeFile(await place(context, path), text);
    await mkdir(join(context, 'files'), { recursive: true });
    const image = { context, dockerfile, reference, buildArguments: {} };
    await buildBase(engine, image);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  return reference;
}

async function place(context: string, path: string): Promise<string> {
  const target = join(context, 'files', path);
  await mkdir(dirname(target), { recursive: true });
  return target;
}
