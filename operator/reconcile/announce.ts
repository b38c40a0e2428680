import type { Condition } from '../api/status.ts';
import { API_VERSION, KIND } from '../api/matrix-homeserver.ts';
import type { EventToRecord } from '../runtime/events.ts';
import type { StepContext } from './step.ts';
import type { UpgradeNews } from './upgrade-news.ts';

const ANNOUNCED = ['Ready', 'Stalled', 'BackupReady', 'MediaReady'];

/** Tells of an upgrade. Before the status that remembers it: what is told twice then is one Event. */
export async function tellNews(ctx: StepContext, news: readonly UpgradeNews[]): Promise<void> {
  for (const one of news) await tell(ctx, { ...one, action: 'Upgrade' });
}

/**
 * Tells people by an Event and the log what has changed in the conditions that matter; nothing when nothing has, and not
 * what the news of an upgrade have told.
 */
export async function announce(
  ctx: StepContext,
  conditions: readonly Condition[],
  news: readonly UpgradeNews[],
): Promise<void> {
  for (const condition of conditions.filter(({ type }) => ANNOUNCED.includes(type))) {
    const before = ctx.homeserver.status.conditions.find(({ type }) => type === condition.type);
    if (before?.status === condition.status && before.reason === condition.reason) continue;
    ctx.log.info({ reason: condition.reason, step: 'status' }, `${condition.type} is ${condition.status}`);
    if (isWorthAnEvent(condition) && !isToldBy(news, condition)) await record(ctx, condition);
  }
}

function isToldBy(news: readonly UpgradeNews[], { type, message }: Condition): boolean {
  return type === 'Stalled' && news.some((one) => one.type === 'Warning' && one.message.endsWith(message));
}

/** A backup that was not made, or a bucket that fails, is told when that begins; the first backup is only waited for. */
function isWorthAnEvent({ type, status, reason }: Condition): boolean {
  if (type === 'BackupReady' || type === 'MediaReady') return status === 'False' && reason !== 'NeverRun';
  return status === 'True' && (type === 'Ready' || type === 'Stalled');
}

async function record(ctx: StepContext, { type, reason, message }: Condition): Promise<void> {
  await tell(ctx, { type: type === 'Ready' ? 'Normal' : 'Warning', reason, action: 'Reconcile', message });
}

/** Writes an Event about the resource; the same one at most once in an hour. */
export async function tell(
  { env, homeserver }: Pick<StepContext, 'env' | 'homeserver'>,
  event: Omit<EventToRecord, 'about'>,
): Promise<void> {
  await env.events.record({ ...event, about: { apiVersion: API_VERSION, kind: KIND, metadata: homeserver.metadata } });
}
