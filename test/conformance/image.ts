import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { baseImage } from '../cluster/images/base-image.ts';
import { buildBase } from '../cluster/images/build-image.ts';
import { debianBase } from '../cluster/images/debian-base.ts';
import { type ImageEngine, preparedEngine } from '../cluster/images/engine.ts';
import { inputDigest } from '../cluster/images/input-digest.ts';
import { readSettings } from '../cluster/settings.ts';
import { bundle } from '../support/bundle.ts';

const root = join(import.meta.dirname, '..', '..');
const packages = [
  'postgresql-15',
  'openssl',
  'libstdc++6',
  'libgcc-s1',
  'ca-certificates',
  'dash',
  'coreutils',
  'libc-bin',
];
const rest = ['tzdata', 'netbase', 'base-files'];
const unused = ['usr/lib/x86_64-linux-gnu/libLLVM*', 'usr/lib/postgresql/15/lib/bitcode', 'usr/share/i18n'];

/**
 * Builds the image that Complement runs and writes it where `docker load` reads it; gives the file and the name. Where a Docker
 * engine answers it is made of official images, otherwise of Debian's packages by buildah.
 */
async function conformanceImage(): Promise<{ archive: string; reference: string }> {
  const engine = await preparedEngine();
  const bundled = await bundle();
  const base = engine.name === 'docker' ? undefined : await debianWithPostgres(engine);
  const dockerfile = join(import.meta.dirname, 'Dockerfile');
  const digest = await inputDigest([bundled, dockerfile, join(import.meta.dirname, 'entry.ts')], [base ?? '']);
  const reference = `localhost/matrix-operator-conformance:${digest}`;
  const buildArguments: Record<string, string> = base === undefined ? {} : { BASE: base, NODE: base };
  await buildBase(engine, { context: root, dockerfile, reference, buildArguments });
  const folder = join(readSettings().cacheDir, 'conformance');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const archive = join(folder, 'image.tar');
  await engine.saveForDocker(reference, archive);
  return { archive, reference };
}

async function debianWithPostgres(engine: ImageEngine): Promise<string> {
  const rootFiles = await debianBase('conformance', [...packages, ...rest], unused);
  const written = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999:PostgreSQL:/conformance:/bin/sh\n',
    'etc/group': 'root:x:0:\npostgres:x:999:\n',
  };
  const copied = { 'usr/local/bin/node': process.execPath };
  return baseImage(engine, { name: 'conformance', rootFiles, copied, written });
}

const { archive, reference } = await conformanceImage();
process.stdout.write(`docker load --input ${archive}\nCOMPLEMENT_BASE_IMAGE=${reference}\n`);
