import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { withProcessLock } from './process-lock.ts';
import { step } from './progress.ts';
import { canRun, runCommand } from './run-command.ts';
import { readSettings } from './settings.ts';

interface GoModule {
  module: string;
  version: string;
  /** Values set at link time: the Go variable and its text. */
  linked: Record<string, string>;
}

const KUBERNETES_VERSION = 'v1.36.3';
const [KUBERNETES_MAJOR = '', KUBERNETES_MINOR = ''] = KUBERNETES_VERSION.slice(1).split('.');

const kubernetes: GoModule = {
  module: 'k8s.io/kubernetes',
  version: KUBERNETES_VERSION,
  linked: {
    'k8s.io/component-base/version.gitVersion': KUBERNETES_VERSION,
    'k8s.io/component-base/version.gitMajor': KUBERNETES_MAJOR,
    'k8s.io/component-base/version.gitMinor': KUBERNETES_MINOR,
    'k8s.io/component-base/version.gitTreeState': 'clean',
    'k8s.io/client-go/pkg/version.gitVersion': KUBERNETES_VERSION,
  },
};
const helm: GoModule = {
  module: 'helm.sh/helm/v4',
  version: 'v4.3.1',
  linked: { 'helm.sh/helm/v4/internal/version.version': 'v4.3.1' },
};
const coredns: GoModule = { module: 'github.com/coredns/coredns', version: 'v1.15.0', linked: {} };
const kind: GoModule = { module: 'sigs.k8s.io/kind', version: 'v0.33.0', linked: {} };
const versitygw: GoModule = { module: 'github.com/versity/versitygw', version: 'v1.8.0', linked: {} };
const etcd: GoModule = { module: 'go.etcd.io/etcd/server/v3', version: 'v3.6.16', linked: {} };
const kwok: GoModule = { module: 'sigs.k8s.io/kwok', version: 'v0.8.0', linked: {} };

/** Every program the harness can build, the slowest first because the others share most of its compiled packages. */
const programs = {
  'kube-apiserver': { from: kubernetes, path: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-controller-manager': { from: kubernetes, path: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  'kube-scheduler': { from: kubernetes, path: 'k8s.io/kubernetes/cmd/kube-scheduler' },
  kubelet: { from: kubernetes, path: 'k8s.io/kubernetes/cmd/kubelet' },
  'kube-proxy': { from: kubernetes, path: 'k8s.io/kubernetes/cmd/kube-proxy' },
  kubectl: { from: kubernetes, path: 'k8s.io/kubernetes/cmd/kubectl' },
  coredns: { from: coredns, path: 'github.com/coredns/coredns' },
  helm: { from: helm, path: 'helm.sh/helm/v4/cmd/helm' },
  kind: { from: kind, path: 'sigs.k8s.io/kind' },
  etcd: { from: etcd, path: 'go.etcd.io/etcd/server/v3' },
  kwok: { from: kwok, path: 'sigs.k8s.io/kwok/cmd/kwok' },
  versitygw: { from: versitygw, path: 'github.com/versity/versitygw/cmd/versitygw' },
} as const satisfies Record<string, { from: GoModule; path: string }>;

export type Program = keyof typeof programs;

/** What a local cluster needs, in build order. */
export const clusterPrograms: readonly Program[] = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
  'coredns',
];

// kube-apiserver alone took 277 s on 2 idle cores; four times that on a busy machine is still progress.
const BUILD_TIMEOUT_MS = 30 * 60_000;

/** Path of a program of the pinned version, built from the Go module proxy if it is not in the cache yet. */
export async function binary(program: Program): Promise<string> {
  const target = cachedPath(program);
  if (existsSync(target)) return target;
  await withProcessLock('build', 'another process builds from the Go module proxy', async () => {
    if (!existsSync(target)) await build(program, target);
  });
  return target;
}

/** Builds whatever is missing of the given programs, one after the other. */
export async function buildAll(wanted: readonly Program[]): Promise<void> {
  for (const program of wanted) await binary(program);
}

/** Folder in which kubectl, helm and the others of a module lie, for a user's PATH. */
export function cachedPath(program: Program): string {
  const { from } = programs[program];
  return join(readSettings().cacheDir, 'bin', folderOf(from), program);
}

function folderOf(module: GoModule): string {
  return `${module.module.replace(/^.*\/(?=[a-z]+(\/v\d+)?$)/, '').replace('/', '-')}-${module.version}`;
}

async function build(program: Program, target: string): Promise<void> {
  if (!(await canRun('go', ['version']))) {
    throw new Error(`${program} is built from source: install Go 1.26 or newer (https://go.dev/dl) and try again`);
  }
  const { from, path } = programs[program];
  const source = join(readSettings().cacheDir, 'src', folderOf(from));
  const logFile = join(readSettings().cacheDir, `build-${program}.log`);
  await mkdir(source, { recursive: true });
  await mkdir(join(target, '..'), { recursive: true });
  await rm(logFile, { force: true });
  await writeModuleFile(from, source, logFile);
  const temporary = `${target}.${process.pid}.partial`;
  const linker = ['-s', '-w', ...Object.entries(from.linked).map(([name, value]) => `-X ${name}=${value}`)].join(' ');
  const args = ['build', '-mod=mod', '-trimpath', '-buildvcs=false', '-ldflags', linker, '-o', temporary, path];
  await step(`building ${program} ${from.version} from the Go module proxy (minutes, only the first time)`, () =>
    runCommand('go', args, { cwd: source, env: goEnvironment, timeoutMs: BUILD_TIMEOUT_MS, logFile }),
  );
  await rename(temporary, target);
}

const goEnvironment = { CGO_ENABLED: '0', GOWORK: 'off' };
const DownloadedModule = z.object({ GoMod: z.string() });

/** A module that requires the wanted one; local replacements of its staging modules become the published ones. */
async function writeModuleFile(wanted: GoModule, folder: string, logFile: string): Promise<void> {
  const file = join(folder, 'go.mod');
  if (existsSync(file)) return;
  const name = `${wanted.module}@${wanted.version}`;
  const options = { cwd: folder, env: goEnvironment, timeoutMs: BUILD_TIMEOUT_MS, logFile };
  const told = await runCommand('go', ['mod', 'download', '-json', name], options);
  const { GoMod } = DownloadedModule.parse(JSON.parse(told));
  const original = await readFile(GoMod, 'utf8');
  const goVersion = /^go (\S+)$/m.exec(original)?.[1] ?? '1.26';
  const staging = [...original.matchAll(/^\s*(?:replace )?(\S+) => \.\/staging\//gm)].map((match) => match[1] ?? '');
  const published = wanted.version.replace(/^v1\./, 'v0.');
  const replaced = staging.map((module) => `replace ${module} => ${module} ${published}\n`).join('');
  const text = `module matrix-operator.test/build\n\ngo ${goVersion}\n\nrequire ${wanted.module} ${wanted.version}\n\n`;
  await writeFile(`${file}.partial`, text + replaced);
  await rename(`${file}.partial`, file);
}
