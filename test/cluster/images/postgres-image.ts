import { join } from 'node:path';
import { baseImage } from './base-image.ts';
import { type BuiltImage, buildImage } from './build-image.ts';
import { debianBase } from './debian-base.ts';
import { type ImageEngine, preparedEngine } from './engine.ts';
import { inputDigest } from './input-digest.ts';

const context = join(import.meta.dirname, 'postgres');
const reference = 'localhost/matrix-operator-postgres:dev';

/**
 * PostgreSQL for the demo and the tests: POSTGRES_PASSWORD, POSTGRES_USER and POSTGRES_DB as in the official image, data
 * below /var/lib/postgresql/data, user 999, no root, read-only root file system. With Docker it is made of the official
 * image, with buildah of Debian's packages.
 */
export async function postgresImage(): Promise<BuiltImage> {
  const engine = await preparedEngine();
  const base = engine.name === 'docker' ? undefined : await debianPostgres(engine);
  const digest = await inputDigest([context], [engine.name, base ?? '']);
  const buildArguments: Record<string, string> = base === undefined ? {} : { BASE: base };
  const dockerfile = join(context, 'Dockerfile');
  return buildImage(engine, 'postgres', digest, { context, dockerfile, reference, buildArguments });
}

const packages = ['postgresql-15', 'dash', 'coreutils', 'libc-bin', 'tzdata', 'netbase', 'base-files'];

// 110 MB of the compiler for jit, which the entry script turns off, and what only other programs use: 285 -> 190 MB.
const unused = [
  'usr/lib/x86_64-linux-gnu/libLLVM*',
  'usr/lib/x86_64-linux-gnu/libz3*',
  'usr/lib/x86_64-linux-gnu/perl*',
  'usr/lib/postgresql/15/lib/bitcode',
  'usr/share/perl*',
  'usr/share/i18n',
];

async function debianPostgres(engine: ImageEngine): Promise<string> {
  const rootFiles = await debianBase('postgres', packages, unused);
  const written = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh\n',
    'etc/group': 'root:x:0:\npostgres:x:999:\n',
  };
  return baseImage(engine, { name: 'postgres', rootFiles, written });
}
