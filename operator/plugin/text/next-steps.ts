import type { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import { REASONS, isReason } from '../../api/reasons.ts';
import type { Condition } from '../../api/status.ts';
import type { Style } from './paint.ts';

/** They repeat what another condition says. */
const SUMMARIES = ['Ready', 'Reconciling', 'Stalled', 'Available', 'Paused'];

/** How a condition is to be read: all is well, it passes by itself, or somebody has to act. */
export function styleOf({ reason }: Pick<Condition, 'reason'>): Style {
  if (!isReason(reason)) return 'busy';
  switch (REASONS[reason].class) {
    case 'good':
      return 'good';
    case 'progress':
    case 'transient':
    case 'report':
      return 'busy';
    case 'user':
    case 'spec':
    case 'stop':
      return 'bad';
  }
}

/** What a person may do now, most pressing first; empty when nothing is needed. */
export function nextSteps(homeserver: MatrixHomeserver): string[] {
  const { metadata, spec, status } = homeserver;
  const where = `-n ${metadata.namespace} ${metadata.name}`;
  if (spec.paused) return ['The operator touches nothing: set spec.paused to false when it may go on.'];
  if (status.observedGeneration < 0) return [UNSEEN];
  if (status.upgrade?.phase === 'AwaitingApproval') {
    return [`Read the plan (kubectl matrix plan ${where}), then approve it (kubectl matrix approve ${where}).`];
  }
  const steps = troubled(status.conditions).filter(needsSomebody).map(stepFor);
  return [...new Set([...steps, ...newVersion(homeserver)])];
}

const UNSEEN =
  'The operator has not seen it. Does it run? kubectl get pods -A -l app.kubernetes.io/name=matrix-operator';

/** Conditions that are not good, those that need a person first; each reason once. */
function troubled(conditions: readonly Condition[]): Condition[] {
  const isTrouble = (condition: Condition) => styleOf(condition) !== 'good';
  const parts = conditions.filter((one) => isTrouble(one) && !SUMMARIES.includes(one.type));
  const ready = conditions.filter((one) => isTrouble(one) && one.type === 'Ready');
  const all = [...parts, ...ready.filter(({ reason }) => !parts.some((part) => part.reason === reason))];
  // What nobody could look at says nothing beside what is known to be wrong.
  const known = all.filter(({ status }) => status !== 'Unknown');
  const told = known.length > 0 ? known : all;
  const unique = told.filter((one, i) => told.findIndex(({ reason }) => reason === one.reason) === i);
  return [...unique.filter((one) => styleOf(one) === 'bad'), ...unique.filter((one) => styleOf(one) !== 'bad')];
}

/** Some reports are no trouble where they are expected; the registry says so in its first words. */
function needsSomebody({ reason }: Condition): boolean {
  return !isReason(reason) || !REASONS[reason].wayOut.startsWith('None needed');
}

function stepFor({ reason, message }: Condition): string {
  return isReason(reason) ? `${reason}: ${REASONS[reason].wayOut}` : `${reason}: ${message}`;
}

function newVersion({ spec, status }: MatrixHomeserver): string[] {
  const { available } = status.version ?? {};
  if (available === undefined || spec.upgrade.approval === 'Automatic') return [];
  return [`${available} is available: set spec.version to it when it suits.`];
}
