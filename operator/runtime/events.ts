import { createHash } from 'node:crypto';
import type { KubeClient } from './kube-client.ts';
import { isAlreadyExists } from './kube-error.ts';
import type { KubeObject, Manifest, Resource } from './kube-object.ts';

export interface EventToRecord {
  readonly about: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, at most 128 characters. */
  readonly reason: string;
  /** What was done or tried, UpperCamelCase, at most 128 characters. */
  readonly action: string;
  readonly message: string;
}

export interface EventRecorder {
  /** Writes an Event for people; the same one (object, reason, message) at most once in each hour. Never rejects. */
  record(event: EventToRecord): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create'>;
  readonly component: string;
  readonly instance: string;
  readonly onError: (error: unknown) => void;
  /** Wall clock, Unix ms. */
  readonly now?: () => number;
}

const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true };
const REPEAT_MS = 3_600_000;
/** Forgetting the oldest costs at most a repeated event. */
const MAX_REMEMBERED = 5000;
const MAX_NOTE = 1024;

/** Makes a recorder that remembers what it wrote in the last hour. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const now = options.now ?? Date.now;
  const written = new Map<string, number>();
  return {
    async record(event) {
      // The hour is part of the name, so two operators that say the same write one object.
      const id = digestOf(event, Math.floor(now() / REPEAT_MS));
      const last = written.get(id);
      if (last !== undefined && now() - last < REPEAT_MS) return;
      written.delete(id);
      written.set(id, now());
      forgetOldest(written);
      try {
        await options.client.create(EVENTS, manifestOf(event, { ...options, id, now: now() }), options.component);
      } catch (error) {
        if (!isAlreadyExists(error)) options.onError(error);
      }
    },
  };
}

function digestOf(event: EventToRecord, hour: number): string {
  const text = [event.about.metadata.uid, event.type, event.reason, event.message, hour].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function forgetOldest(written: Map<string, number>): void {
  if (written.size <= MAX_REMEMBERED) return;
  const oldest = written.keys().next().value;
  if (oldest !== undefined) written.delete(oldest);
}

function manifestOf(
  { about, type, reason, action, message }: EventToRecord,
  { component, instance, id, now }: { component: string; instance: string; id: string; now: number },
): Manifest {
  const { name, uid, resourceVersion, namespace = 'default' } = about.metadata;
  return {
    apiVersion: EVENTS.apiVersion,
    kind: EVENTS.kind,
    metadata: { name: `${name.slice(0, 200)}.${id}`, namespace },
    eventTime: new Date(now).toISOString().replace('Z', '000Z'),
    reportingController: component,
    reportingInstance: instance.slice(0, 128),
    regarding: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid, resourceVersion },
    type,
    reason,
    action,
    note: message.slice(0, MAX_NOTE),
  };
}
