import { chown, chmod, cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MatrixError } from '../../homeserver/errors.ts';
import { openPool } from '../../homeserver/storage/pool.ts';
import { type RunningPostgres, startPostgres } from '../support/embedded-postgres.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { selfSignedIdentity } from '../support/self-signed.ts';
import { silentLog } from '../support/store-fixture.ts';
import { CuttingProxy } from './proof/cutting-proxy.ts';

let folder: string;
let server: RunningPostgres;
let database: TestDatabase;
let certificate: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-tls-'));
  await chmod(folder, 0o755);
  const made = await selfSignedIdentity(join(folder, 'made'), '127.0.0.1');
  certificate = made.cert;
  const settings = { ssl: 'on', ssl_cert_file: join(folder, 'server.crt'), ssl_key_file: join(folder, 'server.key') };
  await writeFile(settings.ssl_cert_file, made.cert, { mode: 0o644 });
  await writeFile(settings.ssl_key_file, made.key, { mode: 0o600 });
  if (process.getuid?.() === 0) {
    // The server runs as `nobody` then, whose number is that of its data.
    const probe = await startPostgres({ settings: { fsync: 'off' } });
    const { uid, gid } = await stat(`/proc/${probe.pid}`);
    await probe.stop();
    await chown(settings.ssl_key_file, uid, gid);
  }
  server = await startPostgres({ settings: { fsync: 'off', ...settings } });
  database = await createDatabase({ server: server.address });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function usesTls(tlsMode: 'Disable' | 'Require' | 'VerifyCA' | 'VerifyFull', files: Record<string, string>) {
  const directory = await mkdtemp(join(folder, 'db-'));
  await cp(database.directory, directory, { recursive: true });
  await Promise.all(Object.entries(files).map(([file, value]) => writeFile(join(directory, file), value)));
  const connection = { database: { ...database.config, directory, tlsMode }, applicationName: 'test-tls' };
  const pool = openPool({ connection, size: 1, log: silentLog });
  const text = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
  try {
    const [row] = await pool.query<{ ssl: boolean }>({ name: 'test_ssl', text });
    return row?.ssl;
  } finally {
    await pool.close();
  }
}

const away = (error: unknown) => error instanceof MatrixError && error.status === 503;

test('Disable does not encrypt, Require does without looking at the certificate', async () => {
  expect(await usesTls('Disable', {})).toBe(false);
  expect(await usesTls('Require', {})).toBe(true);
});

test('VerifyCA and VerifyFull take a certificate of the authority in the folder', async () => {
  expect(await usesTls('VerifyCA', { 'ca.crt': certificate })).toBe(true);
  expect(await usesTls('VerifyFull', { 'ca.crt': certificate })).toBe(true);
  expect(await usesTls('VerifyFull', { 'ca.crt': certificate, host: 'localhost' })).toBe(true);
});

test('VerifyCA and VerifyFull refuse a certificate of an authority that they do not know', async () => {
  await expect(usesTls('VerifyCA', {})).rejects.toSatisfy(away);
  await expect(usesTls('VerifyFull', {})).rejects.toSatisfy(away);
});

test('VerifyFull refuses a certificate of another name, VerifyCA takes it', async () => {
  const other = { 'ca.crt': certificate, host: '127.0.0.2' };
  const everywhere = await listenOn('127.0.0.2');
  expect(await usesTls('VerifyCA', { ...other, port: everywhere.port })).toBe(true);
  await expect(usesTls('VerifyFull', { ...other, port: everywhere.port })).rejects.toSatisfy(away);
  await everywhere.close();
});

/** The same server under an address that its certificate does not name. */
async function listenOn(host: string): Promise<{ port: string; close(): Promise<void> }> {
  const proxy = new CuttingProxy(server.address.port, host);
  await proxy.listen();
  return { port: String(proxy.port), close: () => proxy.close() };
}
