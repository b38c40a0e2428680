import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { decodeSecret } from '../../../operator/reconcile/secret-data.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { endingWithUs } from '../../cluster/child-process.ts';
import { programFile } from './program-file.ts';

const Items = z.array(z.object({ key: z.string(), path: z.string() })).optional();
const Volume = z.looseObject({
  name: z.string(),
  configMap: z.looseObject({ name: z.string() }).optional(),
  secret: z.looseObject({ secretName: z.string(), items: Items }).optional(),
  projected: z
    .looseObject({ sources: z.array(z.looseObject({ secret: z.looseObject({ name: z.string(), items: Items }) })) })
    .optional(),
});
const Pod = z.looseObject({
  containers: z.array(
    z.looseObject({
      args: z.array(z.string()),
      volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
    }),
  ),
  volumes: z.array(Volume),
});
const Job = z.looseObject({ spec: z.looseObject({ template: z.looseObject({ spec: Pod }) }) });

/** Runs the program of a Job's pod as a process of its own, with the files that the pod would mount; gives its exit code. */
export async function runProgram(client: KubeClient, job: KubeObject): Promise<number> {
  const { namespace = '' } = job.metadata;
  const root = await mkdtemp(join(tmpdir(), 'matrix-operator-pod-'));
  try {
    const { containers, volumes } = Job.parse(job).spec.template.spec;
    const [container] = containers;
    for (const { name, mountPath } of container?.volumeMounts ?? []) {
      const volume = volumes.find((one) => one.name === name);
      const files = volume === undefined ? {} : await filesOf(client, namespace, volume);
      await mkdir(join(root, mountPath), { recursive: true });
      for (const [file, text] of Object.entries(files))
        await writeFile(join(root, mountPath, file), inRoot(text, root));
    }
    const [, command = '', ...words] = (container?.args ?? []).map((word) => inRoot(word, root));
    const config = join(root, '/etc/homeserver/config/homeserver.yaml');
    const all = [programFile('homeserver'), command, '--config', config, ...words];
    const child = spawn(...endingWithUs(process.execPath, all), { stdio: 'ignore' });
    await once(child, 'exit');
    return child.exitCode ?? 137;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Paths of the pod, wherever they are named. */
function inRoot(text: string, root: string): string {
  return text.replaceAll('/etc/homeserver/', `${root}/etc/homeserver/`);
}

const ConfigMap = z.looseObject({ data: z.record(z.string(), z.string()) });

async function filesOf(
  client: KubeClient,
  namespace: string,
  volume: z.infer<typeof Volume>,
): Promise<Record<string, string>> {
  if (volume.configMap !== undefined) {
    const found = await client.get(KINDS.configMap, { namespace, name: volume.configMap.name });
    const { data } = ConfigMap.parse(found);
    return { 'homeserver.yaml': JSON.stringify(parse(data['homeserver.yaml'] ?? '')) };
  }
  const secrets = [
    ...(volume.secret === undefined ? [] : [{ name: volume.secret.secretName, items: volume.secret.items }]),
    ...(volume.projected?.sources ?? []).map(({ secret }) => secret),
  ];
  const files: Record<string, string> = {};
  for (const { name, items } of secrets) Object.assign(files, await secretFiles(client, { namespace, name }, items));
  return files;
}

async function secretFiles(
  client: KubeClient,
  name: { namespace: string; name: string },
  items: z.infer<typeof Items>,
): Promise<Record<string, string>> {
  const found = await client.get(KINDS.secret, name);
  if (found === undefined) throw new Error(`Secret ${name.name} is missing: the pod would wait for it`);
  const { values } = decodeSecret(found);
  if (items === undefined) return { ...values };
  return Object.fromEntries(items.map(({ key, path }) => [path, values[key] ?? '']));
}
