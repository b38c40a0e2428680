import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuiltImage, buildImage } from './build-image.ts';
import { preparedEngine } from './engine.ts';
import { inputDigest } from './input-digest.ts';
import { pauseBinary } from './pause-binary.ts';

const dockerfile = join(import.meta.dirname, 'pause', 'Dockerfile');

/** The image of every pod's sandbox in a local cluster. */
export async function pauseImage(): Promise<BuiltImage> {
  const engine = await preparedEngine();
  const binary = await pauseBinary();
  const context = await mkdtemp(join(tmpdir(), 'pause-image-'));
  try {
    await copyFile(binary, join(context, 'pause'));
    const digest = await inputDigest([context, dockerfile]);
    const image = { context, dockerfile, reference: 'localhost/matrix-operator-pause:1', buildArguments: {} };
    return await buildImage(engine, 'pause', digest, image);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
