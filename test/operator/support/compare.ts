import * as z from 'zod';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import type { Stage } from './stage.ts';
import { listChildren, readHomeserver } from './stage.ts';

const VOLATILE = ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'generation', 'namespace', 'name'];
const Data = z.looseObject({ data: z.record(z.string(), z.string()).optional() });

/**
 * Everything the operator made in a namespace, without what is random, counted or timed: two namespaces in which the
 * same was wanted give the same text.
 */
export async function endState(stage: Stage, namespace: string): Promise<string> {
  const { metadata, status } = await readHomeserver(stage, namespace);
  const children = [...(await listChildren(stage, namespace))].map(([key, object]) => [key, plain(object)]);
  const conditions = status.conditions.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`);
  const text = JSON.stringify([children, conditions], null, 1);
  return text
    .replaceAll(metadata.uid, 'RESOURCE')
    .replaceAll(namespace, 'NAMESPACE')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/-(config|preflight|backup|migrate|verify|contract)-[0-9a-f]{10,12}/g, '-$1-HASH')
    .replaceAll(/"matrix-operator.dev\/(secrets-checksum|config-checksum|inputs)": "[0-9a-f]{16}"/g, '"$1": "HASH"')
    .replaceAll(/"(nodePort|healthCheckNodePort)": \d+/g, '"$1": "PORT"')
    .replaceAll(/"--upgrade-plan",\s+"[0-9a-f]{12}"/g, '"--upgrade-plan PLAN"')
    .replaceAll(/"(\d+\.){3}\d+"/g, '"ADDRESS"');
}

function plain(object: KubeObject): unknown {
  const rest = Object.fromEntries(Object.entries(object).filter(([field]) => field !== 'status'));
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([field]) => !VOLATILE.includes(field)));
  const { data } = Data.parse(object);
  // Lengths, not values: passwords and keys are random, but a value that is missing or cut off shows.
  const lengths = Object.entries(data ?? {}).map(
    ([key, value]) => `${key}: ${object.kind === 'ConfigMap' ? value : value.length}`,
  );
  return { ...rest, metadata, data: lengths };
}
