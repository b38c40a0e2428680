import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import type { Manifest } from '../../../operator/runtime/kube-object.ts';
import { binary } from '../../cluster/binaries.ts';
import { runCommand } from '../../cluster/run-command.ts';

export const CHART = join(import.meta.dirname, '..', '..', '..', 'charts', 'matrix-operator');

const AnyManifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/** Runs helm without a cluster. */
export async function helm(args: readonly string[]): Promise<string> {
  return runCommand(await binary('helm'), [...args], { timeoutMs: 60_000 });
}

/** The manifests of the chart with these `--set`s, as text. */
export async function renderText(release: string, namespace: string, values: readonly string[]): Promise<string> {
  const sets = values.flatMap((value) => ['--set', value]);
  return helm(['template', release, CHART, '--namespace', namespace, ...sets]);
}

/** The manifests of the chart with these `--set`s. */
export async function render(release: string, namespace: string, values: readonly string[]): Promise<Manifest[]> {
  return parseAllDocuments(await renderText(release, namespace, values))
    .map((document) => AnyManifest.nullable().parse(document.toJS()))
    .filter((manifest) => manifest !== null);
}
