import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { objectKey } from '../../../operator/runtime/kube-object.ts';
import { createReflector } from '../../../operator/runtime/reflector.ts';
import type { Upgraded } from './upgraded.ts';

const View = z.looseObject({
  status: z.looseObject({
    conditions: z.array(
      z.looseObject({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() }),
    ),
  }),
});

/** Everything that a resource says of being Ready, one after another, from the beginning of the watch on. */
export async function watchReady({ client, namespace }: Upgraded): Promise<{ said: string[]; stop(): Promise<void> }> {
  const said: string[] = [];
  const end = new AbortController();
  const reflector = createReflector({
    client,
    namespace,
    resource: KINDS.homeserver,
    keep: (object) => {
      const ready = View.parse(object).status.conditions.find(({ type }) => type === 'Ready');
      const line = `${ready?.status} ${ready?.reason}: ${ready?.message}`;
      if (said.at(-1) !== line) said.push(line);
      return object;
    },
    keysOf: ({ metadata }) => [objectKey(metadata)],
    onKey: () => undefined,
  });
  const running = reflector.run(end.signal);
  await reflector.synced;
  const stop = () => (end.abort(), running);
  return { said, stop };
}
