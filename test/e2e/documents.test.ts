import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { clientFolders, kubectl } from '../cluster/clients.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { documentsOn } from '../support/command-ledger.ts';
import { runPage } from '../support/run-documented.ts';
import { applyHomeserver, NAMESPACE, PUBLIC_POSTGRES, waitReady } from './support/quickstart.ts';
import { cluster } from './support/setup.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const quiet = (): void => undefined;

let handle: ClusterHandle;
/** Where the reader of the pages stands: a checkout whose PostgreSQL image is one that these nodes have. */
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  handle = await cluster();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-documents-'));
  await cp(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  for (const name of ['package.json', 'node_modules', 'test', 'operator', 'homeserver', 'dist']) {
    await symlink(join(ROOT, name), join(folder, name));
  }
  await useImageOfCluster();
  env = {
    KUBECONFIG: await kubeconfig(),
    PROGRAMS: folder,
    FREE_PORT: String(await freePort()),
    PATH: [folder, dirname(process.execPath), ...clientFolders(), process.env['PATH'] ?? ''].join(':'),
  };
});

afterAll(async () => {
  // The last command of the quickstart deletes what the other tests use.
  await applyHomeserver(handle);
  await waitReady(handle, 180_000, quiet);
  await rm(folder, { recursive: true, force: true });
});

async function useImageOfCluster(): Promise<void> {
  const path = 'jsonpath={.spec.template.spec.containers[0].image}';
  const image = await kubectl(handle, ['get', 'statefulset', 'postgres', '--namespace', NAMESPACE, '-o', path]);
  const file = join(folder, 'examples', 'quickstart', 'postgres.yaml');
  const yaml = await readFile(file, 'utf8');
  await writeFile(file, yaml.replaceAll(PUBLIC_POSTGRES, `image: ${image}`));
}

/** A copy whose current context is the cluster of these tests. */
async function kubeconfig(): Promise<string> {
  const file = join(folder, 'kubeconfig');
  await writeFile(file, await kubectl(handle, ['config', 'view', '--raw', '--flatten', '--minify']), { mode: 0o600 });
  return file;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

test.for(documentsOn('cluster'))('%s: every command does what it says', async (document) => {
  await runPage('cluster', document, { cwd: folder, env });
  // A page that changed the resource is at its end once that is reached.
  if (document === 'docs/kubectl-plugin.md') await waitReady(handle, 120_000, quiet);
});
