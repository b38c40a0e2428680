import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { chooseProvider } from '../../cluster/choose-provider.ts';
import { runCommand } from '../../cluster/run-command.ts';

/** The instance of these tests, beside the one that a developer may have from `npm start`. */
export const INSTANCE = process.env['MATRIX_OPERATOR_E2E_INSTANCE'] ?? 'e2e';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const START_TIMEOUT_MS = 1_700_000;

/** What `npm start` printed for scripts. */
export interface Started {
  kubeconfig: string;
  context: string;
  url: string;
  user: string;
  password: string;
  output: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    started: Started;
  }
}

/** Runs `npm start` as a user does, and reads the lines it prints for scripts. */
export async function npmStart(): Promise<Started> {
  const output = await runCommand('npm', ['start', '--', '--instance', INSTANCE], {
    cwd: ROOT,
    timeoutMs: START_TIMEOUT_MS,
  });
  const value = (name: string): string => {
    const found = new RegExp(`^${name}=(.+)$`, 'm').exec(output)?.[1];
    if (found === undefined) throw new Error(`npm start printed no line ${name}=…:\n${output}`);
    return found;
  };
  return {
    kubeconfig: value('KUBECONFIG'),
    context: value('CONTEXT'),
    url: value('URL'),
    user: value('USER'),
    password: value('PASSWORD'),
    output,
  };
}

/** The running cluster of these tests. */
export async function cluster(): Promise<ClusterHandle> {
  const handle = await (await chooseProvider({ instance: INSTANCE })).find();
  if (handle === undefined) throw new Error('the cluster of the end-to-end tests does not run');
  return handle;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  project.provide('started', await npmStart());
  return async () => {
    if (process.env['MATRIX_OPERATOR_E2E_KEEP'] !== undefined) return;
    await runCommand('npm', ['stop', '--', '--instance', INSTANCE], { cwd: ROOT, timeoutMs: 300_000 });
  };
}
