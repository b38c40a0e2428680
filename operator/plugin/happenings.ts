import * as z from 'zod';
import { KIND } from '../api/matrix-homeserver.ts';
import type { ObjectName, Resource } from '../runtime/kube-object.ts';
import { isForbidden } from '../runtime/kube-error.ts';
import type { Cluster } from './cluster.ts';
import type { Happening } from './text/status-view.ts';

const EVENTS: Resource = { apiVersion: 'v1', kind: 'Event', plural: 'events', namespaced: true };
const SHOWN = 5;

const time = z
  .string()
  .nullish()
  .transform((found) => found ?? '');
const Event = z.looseObject({
  type: time,
  reason: time,
  message: time,
  eventTime: time,
  lastTimestamp: time,
  series: z.looseObject({ lastObservedTime: time }).nullish(),
});

/** The last few Events about a resource, oldest first; none where they may not be read. */
export async function readHappenings({ client }: Cluster, { namespace, name }: ObjectName): Promise<Happening[]> {
  const fieldSelector = `involvedObject.kind=${KIND},involvedObject.name=${name}`;
  try {
    const { items } = await client.list(EVENTS, { namespace, fieldSelector });
    const happenings = items.map((item) => happening(Event.parse(item)));
    return happenings.sort((a, b) => Date.parse(a.time) - Date.parse(b.time)).slice(-SHOWN);
  } catch (error) {
    if (isForbidden(error)) return [];
    throw error;
  }
}

function happening({ type, reason, message, ...times }: z.infer<typeof Event>): Happening {
  const seen = [times.series?.lastObservedTime ?? '', times.lastTimestamp, times.eventTime];
  return { type, reason, message, time: seen.find((one) => one !== '') ?? '' };
}
