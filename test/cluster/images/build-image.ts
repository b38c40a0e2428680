import { existsSync } from 'node:fs';
import { withProcessLock } from '../process-lock.ts';
import { step } from '../progress.ts';
import { archivePath, prepareArchives, type ImageBuild, type ImageEngine } from './engine.ts';

/** An image as a file and the name it has in a cluster once loaded. */
export interface BuiltImage {
  archive: string;
  reference: string;
}

/** Builds an image and writes its archive, unless one with the same digest of inputs is there already. */
export async function buildImage(
  engine: ImageEngine,
  name: string,
  digest: string,
  image: ImageBuild,
): Promise<BuiltImage> {
  const archive = archivePath(name, digest);
  const built = { archive, reference: image.reference };
  if (existsSync(archive)) return built;
  return withProcessLock('images', 'another process builds an image', async () => {
    if (existsSync(archive)) return built;
    await prepareArchives(name, archive);
    await step(`building the image ${image.reference} with ${engine.name}`, async () => {
      await engine.build(image);
      await engine.save(image.reference, archive);
    });
    const [repository, tag] = partsOf(image.reference);
    await engine.prune(repository, engine.name === 'docker' ? tag : undefined); // with buildah the archive is all we need
    return built;
  });
}

/** Builds an image that others start from and leaves it in the engine's store only. */
export async function buildBase(engine: ImageEngine, image: ImageBuild): Promise<void> {
  await withProcessLock('images', 'another process builds an image', async () => {
    if (await engine.has(image.reference)) return;
    await step(`building the base image ${image.reference}`, () => engine.build(image));
    await engine.prune(...partsOf(image.reference));
  });
}

/** `localhost/name:tag` -> name, tag */
function partsOf(reference: string): [string, string] {
  const [, name = '', tag = ''] = /^localhost\/(.+):([^:/]+)$/.exec(reference) ?? [];
  if (name === '') throw new Error(`not a local image name: ${reference}`);
  return [name, tag];
}
