import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { startApiServer } from '../cluster/api-server.ts';
import { apiRequest } from '../cluster/api-request.ts';
import { binary } from '../cluster/binaries.ts';
import { systemProgram } from '../cluster/local/packages.ts';

afterEach(() => vi.unstubAllEnvs());

test('what was written is there after the server was killed and started again on the same port', async () => {
  await using server = await startApiServer();
  const metadata = { name: 'kept' };
  const path = '/api/v1/namespaces/default/configmaps';
  expect((await apiRequest(server, 'POST', path, { metadata, data: { key: 'value' } })).status).toBe(201);
  await server.stop();
  await expect(apiRequest(server, 'GET', '/readyz')).rejects.toThrow('ECONNREFUSED');
  await server.start();
  expect((await apiRequest(server, 'GET', `${path}/kept`)).status).toBe(200);
});

test('two servers run side by side and leave nothing, also if ended twice', async () => {
  const servers = await Promise.all([startApiServer(), startApiServer()]);
  expect(new Set(servers.map(({ server }) => server)).size).toBe(2);
  for (const server of servers) {
    await server.dispose();
    await server.dispose();
    expect(existsSync(server.logDir)).toBe(false);
    await expect(apiRequest(server, 'GET', '/readyz')).rejects.toThrow('ECONNREFUSED');
  }
});

test('programs of KUBEBUILDER_ASSETS are taken, and one that is missing there is named', async () => {
  const assets = await mkdtemp(join(tmpdir(), 'assets-'));
  onTestFinished(() => rm(assets, { recursive: true }));
  vi.stubEnv('KUBEBUILDER_ASSETS', assets);
  await symlink(systemProgram('etcd'), join(assets, 'etcd'));
  await expect(startApiServer()).rejects.toThrow('there is no kube-apiserver');
  await symlink(await binary('kube-apiserver'), join(assets, 'kube-apiserver'));
  await using server = await startApiServer();
  expect(existsSync(dirname(server.kubeconfigPath))).toBe(true);
  expect((await apiRequest(server, 'GET', '/version')).status).toBe(200);
});
