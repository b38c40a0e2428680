import * as z from 'zod';
import type { KubeClient } from '../runtime/kube-client.ts';
import type { KubeObject, ObjectName } from '../runtime/kube-object.ts';
import { KINDS } from './kinds.ts';

const Data = z.object({ data: z.record(z.string(), z.string()).default({}) });

/** A Secret with its values decoded; never logged. */
export interface SecretData {
  readonly object: KubeObject;
  readonly values: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Reads one Secret; undefined when there is none. Errors: KubeError. */
export async function readSecret(client: Pick<KubeClient, 'get'>, name: ObjectName): Promise<SecretData | undefined> {
  const object = await client.get(KINDS.secret, name);
  return object === undefined ? undefined : decodeSecret(object);
}

export function decodeSecret(object: KubeObject): SecretData {
  const { data } = Data.parse(object);
  const values = Object.entries(data).map(([key, text]): [string, string] => [
    key,
    Buffer.from(text, 'base64').toString('utf8'),
  ]);
  return { object, values: Object.fromEntries(values), annotations: object.metadata.annotations ?? {} };
}

/** Secrets made from files often end in a line end that nobody meant; any other space may belong to a password. */
export function withoutLineEnds(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, text]) => [key, text.replace(/\r?\n$/, '')]));
}
