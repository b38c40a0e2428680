import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import * as z from 'zod';
import { bundle } from '../../support/bundle.ts';
import { baseImage } from './base-image.ts';
import { type BuiltImage, buildImage } from './build-image.ts';
import { debianBase } from './debian-base.ts';
import { type ImageEngine, preparedEngine } from './engine.ts';
import { inputDigest } from './input-digest.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const Package = z.object({ version: z.string() });

/**
 * The image of the operator and the homeserver, `localhost/matrix-operator:<version>-<digest>`; the digest is that of
 * all that goes into it. `base` replaces the default: the official Node image with Docker, Debian's packages and our own
 * Node with buildah.
 */
export async function appImage(base?: string): Promise<BuiltImage> {
  const { version } = Package.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  return imageOf({ bundled: await bundle(), version }, base);
}

/** What an image is made of. */
interface ImageSource {
  /** A folder below `dist` with the programs. */
  readonly bundled: string;
  readonly version: string;
  /** [this repository] The tree with that folder and the Dockerfile. */
  readonly tree?: string;
  /** [matrix-operator] First part of the archive's name: archives of one name drive each other out. */
  readonly archive?: string;
}

/** The image of bundled programs, `localhost/matrix-operator:<version>-<digest>`. */
export async function imageOf(
  { bundled, version, tree = root, archive = 'matrix-operator' }: ImageSource,
  base?: string,
): Promise<BuiltImage> {
  const engine = await preparedEngine();
  const from = base ?? (engine.name === 'docker' ? undefined : await debianNode(engine));
  const dockerfile = join(tree, 'Dockerfile');
  const digest = await inputDigest([bundled, dockerfile], [engine.name, from ?? '']);
  const reference = `localhost/matrix-operator:${version}-${digest}`;
  const buildArguments = { APP: relative(tree, bundled), ...(from === undefined ? {} : { BASE: from }) };
  return buildImage(engine, archive, digest, { context: tree, dockerfile, reference, buildArguments });
}

const packages = ['libc6', 'libstdc++6', 'libgcc-s1', 'ca-certificates', 'tzdata', 'netbase', 'base-files'];

async function debianNode(engine: ImageEngine): Promise<string> {
  if (Number(process.versions.node.split('.')[0]) < 24) throw new Error('run this by npm, which finds Node 24 first');
  const rootFiles = await debianBase('node', packages, []);
  return baseImage(engine, { name: 'node', rootFiles, copied: { 'usr/local/bin/node': process.execPath } });
}
