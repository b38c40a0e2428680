import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { endingWithUs } from '../cluster/child-process.ts';
import { waitFor } from '../support/wait-for.ts';

const MAIN = join(import.meta.dirname, '..', 'support', 'dev-main.ts');

interface Running {
  child: ChildProcess;
  url: string;
  federationUrl: string | undefined;
}

async function start(args: readonly string[]): Promise<Running> {
  const child = spawn(...endingWithUs(process.execPath, [MAIN, ...args]), { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await waitFor(() => out.includes('Ctrl-C stops') || child.exitCode !== null, {
    what: 'the server',
  });
  const url = /^URL=(\S+)$/m.exec(out)?.[1];
  if (url === undefined) throw new Error(`no URL was printed: ${out}`);
  return { child, url, federationUrl: /^other servers: (\S+)$/m.exec(out)?.[1] };
}

async function stop({ child }: Running): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  return exited;
}

const post = async (url: string, body: object) => {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, body: await response.text() };
};

/** Over TLS, whoever signed the certificate. */
const getSecure = (url: string) =>
  new Promise<string>((resolve, reject) => {
    const sent = request(url, { rejectUnauthorized: false }, (response) => {
      text(response).then(resolve, reject);
    });
    sent.once('error', reject).end();
  });

test('the development server keeps its users, keys and certificate over a restart', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-dev-'));
  const args = ['--data', folder, '--port', '0', '--federation-port', '0', '--server-name', 'dev.example'];
  try {
    const first = await start([...args, '--open-registration', '--no-rate-limits']);
    const user = { username: 'alice', password: 'correct horse' };
    const made = await post(`${first.url}/_matrix/client/v3/register`, { ...user, auth: { type: 'm.login.dummy' } });
    expect(made).toMatchObject({ status: 200 });
    const keys = await getSecure(`${first.federationUrl}/_matrix/key/v2/server`);
    expect(keys).toContain('"server_name":"dev.example"');
    expect(await stop(first)).toBe(0);
    const second = await start(args);
    const login = { type: 'm.login.password', user: 'alice', password: user.password };
    expect(await post(`${second.url}/_matrix/client/v3/login`, login)).toMatchObject({ status: 200 });
    const closed = await post(`${second.url}/_matrix/client/v3/register`, {
      username: 'bob',
      password: 'correct horse',
    });
    expect(closed).toMatchObject({ status: 403 });
    const keyId = /"ed25519:\w+"/.exec(keys)?.[0] ?? 'no key';
    expect(await getSecure(`${second.federationUrl}/_matrix/key/v2/server`)).toContain(keyId);
    expect(await stop(second)).toBe(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
