import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { mediaState } from '../../operator/reconcile/probe-media.ts';
import { endingWithUs } from '../cluster/child-process.ts';
import { bundle } from '../support/bundle.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import { matching } from '../support/matching.ts';

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

function start(args: readonly string[]): ChildProcess {
  return spawn(...endingWithUs(process.execPath, [program, ...args]), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
}

async function run(args: readonly string[], input = ''): Promise<Outcome> {
  const child = start(args);
  child.stdin?.end(input);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const read = async (stream: typeof child.stdout) => (stream === null ? '' : text(stream));
  const [out, err] = await Promise.all([read(child.stdout), read(child.stderr)]);
  return { code: await exited, out, err };
}

/** As in the image: it is there in a third of the time that its sources take. */
let program: string;
let folder: string;
let database: TestDatabase;
let keyring: string;

beforeAll(async () => {
  program = join(await bundle(), 'homeserver.mjs');
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-commands-'));
  database = await createDatabase();
  keyring = join(folder, 'keyring.json');
  await run(['keys', 'generate', '--server-name', 'test.example', '--out', keyring]);
});

afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

let files = 0;

async function configFile(changes: object = {}): Promise<string> {
  const file = join(folder, `homeserver-${(files += 1)}.yaml`);
  const config = {
    serverName: 'test.example',
    listeners: { http: { host: '127.0.0.1', port: 0 }, metrics: { host: '127.0.0.1', port: 0 } },
    database: { directory: database.directory, tlsMode: 'Disable' },
    keyringFile: keyring,
    ...changes,
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

/** A bucket at a port where nobody listens. */
async function bucketAway(): Promise<object> {
  const credentialsDirectory = join(folder, 's3');
  await mkdir(credentialsDirectory, { recursive: true });
  for (const file of ['accessKeyId', 'secretAccessKey']) await writeFile(join(credentialsDirectory, file), 'x');
  return { s3: { bucket: 'files', endpoint: 'http://127.0.0.1:1', forcePathStyle: true, credentialsDirectory } };
}

const Line = z.looseObject({ msg: z.string(), http_port: z.int().optional(), reason: z.string().optional() });

function lines(out: string): z.infer<typeof Line>[] {
  const whole = out.slice(0, out.lastIndexOf('\n') + 1);
  return whole.split('\n').flatMap((line) => (line.startsWith('{') ? [Line.parse(JSON.parse(line))] : []));
}

const usages = [
  { name: 'nothing', args: [], code: 2, says: /homeserver COMMAND/ },
  { name: 'help', args: ['--help'], code: 0, says: /check-config/ },
  { name: 'an unknown command', args: ['dance'], code: 2, says: /there is no command dance/ },
  { name: 'the name of an object member', args: ['toString'], code: 2, says: /there is no command toString/ },
  { name: 'an unknown flag', args: ['serve', '--dance'], code: 2, says: /--dance[\s\S]*--config FILE/ },
  { name: 'a migration without a phase', args: ['migrate'], code: 2, says: /plan, expand, contract, after-restore/ },
  { name: 'a backup to nowhere', args: ['backup'], code: 2, says: /either --directory DIR or --s3-bucket NAME/ },
  { name: 'a backup to two places', args: ['backup', '--directory', 'x', '--s3-bucket', 'y'], code: 2, says: /either/ },
  {
    name: 'a bucket without credentials',
    args: ['backup', '--s3-bucket', 'bucket'],
    code: 2,
    says: /--s3-credentials DIR/,
  },
  { name: 'keys without an action', args: ['keys'], code: 2, says: /generate or inspect/ },
  {
    name: 'a key for a bad server name',
    args: ['keys', 'generate', '--server-name', 'A!', '--out', 'x'],
    code: 2,
    says: /lower-case/,
  },
  ...['serve', 'migrate', 'check-config', 'keys', 'backup', 'restore', 'verify', 'admin'].map((command) => ({
    name: `the help of ${command}`,
    args: [command, '--help'],
    code: 0,
    says: new RegExp(`^homeserver ${command}`),
  })),
];

test.for(usages)('$name ends with $code', async ({ args, code, says }) => {
  const outcome = await run(args);
  expect(outcome.code).toBe(code);
  expect(outcome.out + outcome.err).toMatch(says);
});

test('a good configuration passes, a bad one is told line by line', async () => {
  expect(await run(['check-config', '--config', await configFile()])).toMatchObject({ code: 0, err: '' });
  const bad = await run(['check-config', '--config', await configFile({ logLevel: 'loud', nonsense: 1 })]);
  expect(bad.code).toBe(10);
  expect(bad.err).toMatch(/^ {2}logLevel: .*"debug"/m);
  expect(bad.err).toMatch(/^ {2}nonsense: there is no such key$/m);
  const media = await configFile({ media: { directory: join(folder, 'nowhere') } });
  for (const command of ['check-config', 'serve']) {
    expect(await run([command, '--config', media])).toMatchObject({
      code: 10,
      err: matching(/media\.directory: .*ENOENT/),
    });
  }
  expect(await run(['check-config', '--file-only', '--config', media])).toMatchObject({ code: 0, err: '' });
  const away = await run(['check-config', '--config', await configFile({ media: await bucketAway() })]);
  expect(away).toMatchObject({ code: 20, out: '', err: matching(/^media\.s3\.endpoint: .*ECONNREFUSED/) });
  const missing = await run(['check-config', '--config', join(folder, 'absent.yaml')]);
  expect(missing).toMatchObject({ code: 10, err: matching(/ENOENT/) });
});

test('a keyring is made once, readable by its owner only, and shown without its private half', async () => {
  const file = join(folder, 'own.json');
  const make = () => run(['keys', 'generate', '--server-name', 'test.example', '--out', file]);
  expect((await make()).code).toBe(0);
  const content = await readFile(file, 'utf8');
  expect(await make()).toMatchObject({ code: 1, err: matching(/EEXIST/) });
  expect(await readFile(file, 'utf8')).toBe(content);
  const shown = await run(['keys', 'inspect', file]);
  expect(shown.out).toMatch(
    /^server name test\.example, generation 1[\s\S]*^ed25519:[a-z2-7]{10} {2}\S{43} {2}active$/m,
  );
  const { keys } = z.looseObject({ keys: z.array(z.looseObject({ seed: z.string() })) }).parse(JSON.parse(content));
  expect(shown.out).not.toContain(keys[0]?.seed);
  await writeFile(file, '{}');
  expect((await run(['keys', 'inspect', file])).code).toBe(13);
});

test('serving starts, is ready although the bucket for files is away, and ends with 0 after SIGINT', async () => {
  const child = start(['serve', '--config', await configFile({ media: await bucketAway() })]);
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const port = await waitFor(() => lines(out).find((line) => line.msg === 'serving')?.http_port, { what: 'serving' });
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    expect(await mediaState(`http://127.0.0.1:${port}`)).toEqual({
      state: 'unusable',
      problem: matching(/^spec\.media\.s3\.endpoint: .*http:\/\/127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)$/),
    });
    child.kill('SIGINT');
    expect(await exited).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
  expect(lines(out)).toMatchObject([
    { msg: matching(/^files cannot be kept now/), reason: matching(/^media\.s3\.endpoint: .*ECONNREFUSED/) },
    { msg: 'serving' },
    { msg: 'stopping' },
  ]);
});

async function refusalOf(changes: object): Promise<{ code: number | null; reason: string | undefined }> {
  const { code, out, err } = await run(['serve', '--config', await configFile(changes)]);
  return { code, reason: lines(out)[0]?.reason ?? err };
}

test('serve refuses a database without a schema, and migrates nothing itself', async () => {
  const empty = await createDatabase({ schema: 'empty' });
  const changes = { database: { directory: empty.directory, tlsMode: 'Disable' } };
  expect(await refusalOf(changes)).toEqual({ code: 11, reason: matching(/migrate expand/) });
  const client = await empty.connect();
  expect((await client.query("select from pg_namespace where nspname = 'ops'")).rowCount).toBe(0);
  await empty.drop();
});

test('serve refuses the database of another server', async () => {
  const other = await createDatabase({ schema: { serverName: 'other.example' } });
  const changes = { database: { directory: other.directory, tlsMode: 'Disable' } };
  expect(await refusalOf(changes)).toEqual({
    code: 12,
    reason: matching(/other\.example.*test\.example/),
  });
  await other.drop();
});

test('serve refuses a schema that is too new, and the message says what to do', async () => {
  const newer = await createDatabase();
  const client = await newer.connect();
  await client.query('update ops.schema_state set schema_version = 99, compat_version = 99');
  const changes = { database: { directory: newer.directory, tlsMode: 'Disable' } };
  expect(await refusalOf(changes)).toEqual({ code: 11, reason: matching(/newer program/) });
  await newer.drop();
});

test('serve refuses to start without its key and makes none', async () => {
  const absent = join(folder, 'absent.json');
  expect(await refusalOf({ keyringFile: absent })).toEqual({ code: 13, reason: matching(/ENOENT/) });
  await expect(readFile(absent)).rejects.toThrow(/ENOENT/);
});

test('serve ends with "try again" when the database is away', async () => {
  const directory = join(folder, 'away');
  const values = { host: '127.0.0.1', port: '1', dbname: 'x', username: 'x', password: 'never shown' };
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  for (const [file, value] of Object.entries(values)) await writeFile(join(directory, file), value);
  const { code, out, err } = await run([
    'serve',
    '--config',
    await configFile({ database: { directory, tlsMode: 'Disable' } }),
  ]);
  expect(code).toBe(20);
  expect(out + err).toMatch(/ECONNREFUSED/);
  expect(out + err).not.toContain('never shown');
});

test('migrate plans and expands an empty database, and says so in JSON', async () => {
  const empty = await createDatabase({ schema: 'empty' });
  const config = await configFile({ database: { directory: empty.directory, tlsMode: 'Disable' } });
  const Result = z.looseObject({
    exitCode: z.int(),
    plan: z.looseObject({ pending: z.array(z.unknown()) }).optional(),
  });
  const json = async (phase: string) => {
    const outcome = await run(['migrate', phase, '--json', '--config', config]);
    return { code: outcome.code, result: Result.parse(JSON.parse(outcome.out)) };
  };
  const plan = await json('plan');
  expect(plan.code).toBe(0);
  expect(plan.result.plan?.pending.length).toBeGreaterThan(5);
  expect((await json('expand')).code).toBe(0);
  expect((await json('plan')).result.plan?.pending).toEqual([]);
  await empty.drop();
});

test('an administrator makes users and tokens on the database itself', async () => {
  const config = await configFile();
  const make = (password: string) => run(['admin', 'create-user', 'Root', '--admin', '--config', config], password);
  expect(await make('short\n')).toMatchObject({ code: 1, err: matching(/too short/) });
  expect(await make('long enough\n')).toMatchObject({ code: 0, out: '@root:test.example\n' });
  expect(await make('long enough\n')).toMatchObject({ code: 1, err: matching(/taken/) });
  // A password that comes over a connection which stays open, as from kubectl exec.
  const open = start(['admin', 'create-user', 'second', '--config', config]);
  open.stdin?.write('long enough\r\n');
  expect(await new Promise((resolve) => open.once('exit', resolve))).toBe(0);
  const client = await database.connect();
  const { rows } = await client.query('select admin, password_hash from accounts order by admin desc');
  const hash = { password_hash: matching(/^\$argon2id\$/) };
  expect(rows).toEqual([
    { admin: true, ...hash },
    { admin: false, ...hash },
  ]);
  const token = await run(['admin', 'registration-token', '--uses', '3', '--config', config]);
  expect(token).toMatchObject({ code: 0, out: matching(/^[\w-]{32}\n$/) });
  expect((await run(['admin', 'registration-token', 'bad token', '--config', config])).code).toBe(2);
  const notice = (user: string, text: string) => run(['admin', 'server-notice', user, '--config', config], text);
  expect(await notice('@root:test.example', 'the cellar is flooded\n')).toMatchObject({
    code: 0,
    out: matching(/^\$/),
  });
  expect(await notice('@nobody:test.example', 'hello')).toMatchObject({ code: 1, err: matching(/No active user/) });
  expect((await notice('@root:test.example', '\n')).code).toBe(2);
  const left = await (await database.connect()).query('select count(*)::int4 as replicas from ops.replica');
  expect(left.rows).toEqual([{ replicas: 0 }]);
});
