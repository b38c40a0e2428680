import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from '../binaries.ts';
import { type BuiltImage, buildImage } from './build-image.ts';
import { preparedEngine } from './engine.ts';
import { inputDigest } from './input-digest.ts';

const dockerfile = join(import.meta.dirname, 's3', 'Dockerfile');

/** An S3 server over a folder, for tests of backups in a cluster. */
export async function s3Image(): Promise<BuiltImage> {
  const engine = await preparedEngine();
  const program = await binary('versitygw');
  const context = await mkdtemp(join(tmpdir(), 's3-image-'));
  try {
    await copyFile(program, join(context, 'versitygw'));
    const digest = await inputDigest([context, dockerfile]);
    const image = { context, dockerfile, reference: 'localhost/matrix-operator-s3:dev', buildArguments: {} };
    return await buildImage(engine, 's3', digest, image);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
