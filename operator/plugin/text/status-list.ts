import type { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import { nextSteps, styleOf } from './next-steps.ts';
import { printable } from './paint.ts';
import type { Paint } from './paint.ts';
import { columns } from './table.ts';
import type { Row } from './table.ts';
import { age } from './times.ts';

export interface ListView {
  readonly paint: Paint;
  /** Unix ms. */
  readonly now: number;
  /** Whether resources of several namespaces may be in the list. */
  readonly allNamespaces: boolean;
}

const HEAD = ['NAME', 'SERVER NAME', 'VERSION', 'REPLICAS', 'READY', 'STATUS', 'AGE', 'NEXT STEP'];

/** A line for each resource: what `kubectl get` shows, and what to do next. */
export function statusList(homeservers: readonly MatrixHomeserver[], view: ListView): string[] {
  const first = (namespace: string) => (view.allNamespaces ? [namespace] : []);
  const rows = homeservers.map((one) => [...first(one.metadata.namespace), ...row(one, view.now)]);
  return columns([[...first('NAMESPACE'), ...HEAD], ...rows], view.paint);
}

function row(homeserver: MatrixHomeserver, now: number): Row {
  const { metadata, spec, status } = homeserver;
  const ready = status.conditions.find(({ type }) => type === 'Ready');
  return [
    metadata.name,
    spec.serverName,
    status.version?.current ?? '',
    `${status.readyReplicas ?? 0}/${spec.replicas}`,
    ready?.status ?? 'Unknown',
    { text: ready?.reason ?? 'Pending', style: ready === undefined ? 'busy' : styleOf(ready) },
    age(metadata.creationTimestamp, now),
    printable(nextSteps(homeserver)[0] ?? ''),
  ];
}
