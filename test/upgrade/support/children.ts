import * as z from 'zod';
import { KINDS, OWNED_KINDS } from '../../../operator/reconcile/kinds.ts';
import { HOMESERVER_LABEL } from '../../../operator/resources/labels.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { sorted } from '../../operator/support/stage.ts';
import type { Upgraded } from './upgraded.ts';

/** An object of the operator's, as far as an upgrade could spoil it. */
export interface Child {
  /** `Kind/name` */
  readonly what: string;
  readonly uid: string;
  /** Raised by every change of what is wanted. */
  readonly generation: number;
  /** Who writes which part, without the parts of Kubernetes' own controllers. */
  readonly managers: readonly string[];
  /** Uids of its owners. */
  readonly owners: readonly string[];
}

const Metadata = z.looseObject({
  generation: z.int().default(0),
  managedFields: z
    .array(z.looseObject({ manager: z.string(), operation: z.string(), subresource: z.string().default('') }))
    .default([]),
  ownerReferences: z.array(z.looseObject({ uid: z.string() })).default([]),
});

/** All objects that the operator has made for a resource, sorted. */
export async function childrenOf({ client, namespace }: Upgraded): Promise<Child[]> {
  const kinds = [...Object.values(OWNED_KINDS).filter(({ optional }) => !optional), KINDS.configMap, KINDS.secret];
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const { items } = await client.list(kind, { namespace, labelSelector: HOMESERVER_LABEL });
      return items.map((item) => childOf(kind.kind, item));
    }),
  );
  return lists.flat().toSorted((one, other) => one.what.localeCompare(other.what));
}

function childOf(kind: string, { metadata }: KubeObject): Child {
  const { generation, managedFields, ownerReferences } = Metadata.parse(metadata);
  const ours = managedFields.filter(({ manager }) => !manager.startsWith('kube-'));
  return {
    what: `${kind}/${metadata.name}`,
    uid: metadata.uid,
    generation,
    managers: sorted(ours.map(({ manager, operation, subresource }) => `${manager} ${operation} ${subresource}`)),
    owners: ownerReferences.map(({ uid }) => uid),
  };
}
