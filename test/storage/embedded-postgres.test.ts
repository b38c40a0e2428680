import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import * as z from 'zod';
import { type PostgresAddress, startPostgres } from '../support/embedded-postgres.ts';

const Place = z.object({ data: z.string() });

async function ask(address: PostgresAddress, text: string): Promise<unknown[]> {
  const { host, port, username, password } = address;
  const client = new pg.Client({ host, port, user: username, password, database: 'postgres' });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(text);
  await client.end();
  return rows;
}

// A folder made like this is closed to the server's user when this runs as root.
test.for([
  { name: 'a folder that the server can reach', mode: 0o755 },
  { name: 'a folder inside a closed one', mode: 0o700 },
])('$name keeps its data over a stop and a crash', async ({ mode }) => {
  const outer = await mkdtemp(join(tmpdir(), 'matrix-operator-test-'));
  await chmod(outer, mode);
  const dataDirectory = join(outer, 'postgres');
  const first = await startPostgres({ dataDirectory });
  await ask(first.address, 'create table kept (n int4)');
  await first.stop();
  const second = await startPostgres({ dataDirectory });
  await ask(second.address, 'insert into kept values (1)');
  await second.restart('immediate');
  expect(await ask(second.address, 'select n from kept')).toEqual([{ n: 1 }]);
  await second.stop();
  const { data } = Place.parse(JSON.parse(await readFile(join(dataDirectory, 'cluster.json'), 'utf8')));
  await rm(dirname(data), { recursive: true });
  await rm(outer, { recursive: true, force: true });
});

test('a server without a folder leaves nothing behind', async () => {
  const outer = await mkdtemp(join(tmpdir(), 'matrix-operator-test-'));
  await chmod(outer, 0o755);
  vi.stubEnv('TMPDIR', outer);
  const server = await startPostgres({ settings: { fsync: 'off' } });
  expect(await readdir(outer)).toHaveLength(1);
  expect(await ask(server.address, "select current_setting('fsync') as fsync")).toEqual([{ fsync: 'off' }]);
  await server.stop();
  expect(await readdir(outer)).toEqual([]);
  vi.unstubAllEnvs();
  await rm(outer, { recursive: true });
});
