import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { kindConfig, kindProvider, parsePorts } from './kind-provider.ts';

/**
 * Stand-ins for the three programs, since a machine that tests may have no Docker engine. They keep the one cluster in a
 * file and write down how they were called.
 */
const PROGRAMS = {
  kind: `case "$1 $2" in
  "get clusters") cat cluster 2>/dev/null || echo "No kind clusters found." >&2 ;;
  "create cluster") echo "$4" >cluster; cp "$8" config.yaml ;;
  "delete cluster") rm -f cluster broken ;;
esac`,
  docker: `[ -f cluster ] && echo "30080/tcp -> 127.0.0.1:49153"`,
  kubectl: `[ ! -f broken ]`,
};

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-kind-'));
  for (const [name, body] of Object.entries(PROGRAMS)) {
    const script = `#!/bin/sh\ncd "${folder}" || exit 1\necho "${name} $*" >>calls\n${body}\n`;
    await writeFile(join(folder, name), script);
    await chmod(join(folder, name), 0o755);
  }
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  vi.stubEnv('XDG_STATE_HOME', join(folder, 'state'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const calls = async (what: string): Promise<string[]> =>
  (await readFile(join(folder, 'calls'), 'utf8')).split('\n').filter((line) => line.startsWith(what));

test('a cluster is made once, and its NodePorts are reached at the ports that Docker gave them', async () => {
  const provider = kindProvider('try');
  expect(await provider.find()).toBeUndefined();
  const made = await provider.up();
  expect(made).toMatchObject({ provider: 'kind', contextName: 'kind-try', nodeAddress: '127.0.0.1' });
  expect(made.baseUrl(30080)).toBe('http://127.0.0.1:49153');
  expect(() => made.baseUrl(31999)).toThrow('use one of the NodePorts 30080');
  await provider.up();
  expect(await calls('kind create cluster --name try --wait 180s')).toHaveLength(1);
  expect(await provider.find()).toMatchObject({ kubeconfigPath: made.kubeconfigPath });
  expect(parse(await readFile(join(folder, 'config.yaml'), 'utf8'))).toEqual(kindConfig());
});

test('a cluster that does not answer is made anew', async () => {
  const provider = kindProvider('try');
  await provider.up();
  await writeFile(join(folder, 'broken'), '');
  await provider.up();
  expect(await calls('kind delete cluster --name try')).toHaveLength(1);
  expect(await calls('kind create cluster')).toHaveLength(2);
});

test('an image goes to the nodes as an archive, and down removes the cluster, twice if need be', async () => {
  const provider = kindProvider('try');
  await provider.up();
  await provider.loadImage('/a/image.tar', 'localhost/image:1');
  expect(await calls('kind load')).toEqual(['kind load image-archive /a/image.tar --name try']);
  await provider.down();
  await provider.down();
  expect(await provider.find()).toBeUndefined();
});

test('nothing but the loopback address is published', () => {
  expect(JSON.stringify(kindConfig())).not.toMatch(/0\.0\.0\.0/);
  expect(parsePorts('30080/tcp -> 127.0.0.1:1\n30443/tcp -> [::1]:2\n')).toEqual(
    new Map([
      [30080, 1],
      [30443, 2],
    ]),
  );
});
