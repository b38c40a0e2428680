import * as z from 'zod';
import type { Resource } from '../../../operator/runtime/kube-object.ts';
import type { Stage } from './stage.ts';
import { sorted } from './stage.ts';

const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true };
const Told = z.looseObject({ type: z.string(), reason: z.string(), note: z.string() });
const OF_UPGRADES = /^(AwaitingApproval|Upgrade\w+|Rollback\w+|VerifyFailed|MigrationFailed|RolloutFailed)$/;

/** What people were told of upgrades in a namespace, as `type reason: note`, sorted. */
export async function upgradeEvents(stage: Pick<Stage, 'client'>, namespace: string): Promise<string[]> {
  const { items } = await stage.client.list(EVENTS, { namespace });
  const found = items.map((item) => Told.parse(item)).filter(({ reason }) => OF_UPGRADES.test(reason));
  return sorted(found.map(({ type, reason, note }) => `${type} ${reason}: ${note}`));
}
