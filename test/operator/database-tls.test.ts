import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DatabaseLogin, TlsSettings } from '../../operator/database/connect.ts';
import { withSession } from '../../operator/database/sessions.ts';
import type { RunningPostgres } from '../support/embedded-postgres.ts';
import { startPostgres } from '../support/embedded-postgres.ts';
import { postgresBinaries } from '../support/postgres-binaries.ts';

const run = promisify(execFile);
let folder: string;
let ca: string;
let server: RunningPostgres;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-tls-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  // For the address alone: a client that compares with "localhost" must fail.
  const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', [...request, ...names, '-keyout', key, '-out', cert]);
  ca = await readFile(cert, 'utf8');
  await chmod(folder, 0o755);
  const { identity } = await postgresBinaries();
  for (const file of [cert, key]) {
    if (identity !== undefined) await chown(file, identity.uid, identity.gid);
    await chmod(file, 0o600);
  }
  server = await startPostgres({ settings: { ssl: 'on', ssl_cert_file: cert, ssl_key_file: key } });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const login = (host: string, tls: TlsSettings): DatabaseLogin => ({
  ...server.address,
  host,
  tls,
  database: 'postgres',
  credentials: 'test',
});
const encrypted = (tls: TlsSettings, host = '127.0.0.1') =>
  withSession(login(host, tls), async (session) => {
    const [row] = await session.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return row;
  });

test.for([
  { name: 'Disable does not encrypt', tls: () => ({ mode: 'Disable' as const }), ssl: false },
  { name: 'Require encrypts and believes anybody', tls: () => ({ mode: 'Require' as const }), ssl: true },
  {
    name: 'VerifyCA with the right authority',
    tls: () => ({ mode: 'VerifyCA' as const, caCertificate: ca }),
    ssl: true,
  },
  {
    name: 'VerifyFull with the right authority',
    tls: () => ({ mode: 'VerifyFull' as const, caCertificate: ca }),
    ssl: true,
  },
])('$name', async ({ tls, ssl }) => {
  expect(await encrypted(tls())).toEqual({ ssl });
});

test('VerifyCA does not look at the host name, VerifyFull refuses another one', async () => {
  expect(await encrypted({ mode: 'VerifyCA', caCertificate: ca }, 'localhost')).toEqual({ ssl: true });
  const wrong = encrypted({ mode: 'VerifyFull', caCertificate: ca }, 'localhost');
  await expect(wrong).rejects.toMatchObject({
    reason: 'TLSInvalid',
    message: expect.stringContaining('localhost') as string,
  });
});

test.for(['VerifyCA', 'VerifyFull'] as const)('%s refuses an authority that it was not given', async (mode) => {
  await expect(encrypted({ mode })).rejects.toMatchObject({
    reason: 'TLSInvalid',
    message: expect.stringMatching(/self-signed certificate; name the right authority/) as string,
  });
});
