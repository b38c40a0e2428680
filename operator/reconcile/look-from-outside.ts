import { isReason } from '../api/reasons.ts';
import type { Status } from '../api/status.ts';
import type { FederationReport } from '../conditions/observed.ts';
import type { Subject } from '../federation-check/check.ts';
import type { Finding, Outside, OwnKey } from '../federation-check/finding.ts';
import { outsideOf } from '../federation-check/finding.ts';
import type { StepContext } from './step.ts';

/** What is known from outside: for the condition, and as it goes into the status. */
export interface OutsideView {
  readonly report: FederationReport;
  readonly status: Status['federation'];
}

/**
 * Says what to look at and takes what was found last; looks at nothing itself. `keys` are those of the ledger, undefined
 * when it could not be read: then what is being looked at stays as it is.
 */
export function lookFromOutside(ctx: StepContext, keys: readonly OwnKey[] | undefined): OutsideView {
  const off = whyOff(ctx);
  const { checker } = ctx.env;
  if (off !== undefined || checker === undefined) {
    checker?.forget(ctx.key);
    return { report: { state: 'off', message: off ?? 'the operator looks at no server' }, status: undefined };
  }
  const finding = keys === undefined ? checker.last(ctx.key) : checker.watch(ctx.key, subjectOf(ctx, keys));
  return finding === undefined ? before(ctx) : { report: reportOf(finding), status: statusOf(finding) };
}

/** Has the first look begun while everything else is made that a key needs, so that none waits for it later. */
export function prepareFirstLook(ctx: StepContext): void {
  if (whyOff(ctx) === undefined && isFirst(ctx)) ctx.env.checker?.prepare(ctx.key, subjectOf(ctx, []));
}

function isFirst({ homeserver }: StepContext): boolean {
  return (homeserver.status.signingKeys ?? []).length === 0;
}

/**
 * What the key state machine may know: undefined when nobody looks; after a start of the operator what status tells, until
 * somebody has looked again. `not yet`: there is no key and the first look is under way.
 */
export function seenFromOutside(ctx: StepContext): Outside | undefined | 'not yet' {
  const { checker } = ctx.env;
  if (checker === undefined || whyOff(ctx) !== undefined) return undefined;
  const { federation } = ctx.homeserver.status;
  const first = isFirst(ctx);
  const finding = first ? checker.watch(ctx.key, subjectOf(ctx, [])) : checker.last(ctx.key);
  if (finding !== undefined) return outsideOf(finding);
  if (first) return 'not yet';
  return federation === undefined ? undefined : keyIdsOf(federation);
}

function keyIdsOf({ keyIDsSeen }: NonNullable<Status['federation']>): Outside {
  return keyIDsSeen === undefined ? 'unreachable' : { keyIds: keyIDsSeen };
}

function subjectOf({ homeserver }: StepContext, keys: readonly OwnKey[]): Subject {
  const { serverName, federation, exposure } = homeserver.spec;
  const notaries = federation.selfCheck === 'Notary' ? (federation.notaries ?? []) : [];
  return { serverName, notaries, keys, revision: JSON.stringify(exposure ?? {}) };
}

function whyOff({ env, homeserver }: StepContext): string | undefined {
  const { mode, selfCheck } = homeserver.spec.federation;
  if (mode === 'Disabled') return 'spec.federation.mode is Disabled';
  if (selfCheck === 'Off') return 'spec.federation.selfCheck is Off';
  return env.checker === undefined ? "the operator's setting probe.enabled is off" : undefined;
}

/** After a start of the operator the status stays as it was until somebody has looked again. */
function before({ homeserver }: StepContext): OutsideView {
  const { conditions, federation } = homeserver.status;
  const old = conditions.find(({ type }) => type === 'FederationVerified');
  if (old === undefined || !isReason(old.reason) || ['Pending', 'NotChecked'].includes(old.reason)) {
    return { report: { state: 'pending' }, status: undefined };
  }
  const { type, status, reason, message } = old;
  return { report: { state: 'kept', condition: { type, status, reason, message } }, status: federation };
}

function reportOf({ kind, vantage, delegatedTo }: Finding): FederationReport {
  return { state: 'seen', kind, vantage, delegatedTo };
}

function statusOf({ kind, vantage, seen, delegatedTo }: Finding): Status['federation'] {
  return {
    vantage,
    ...(seen === undefined ? {} : { keyIDsSeen: seen.map(({ keyId }) => keyId) }),
    ...(delegatedTo === undefined ? {} : { delegatedTo }),
    ...(kind === 'KeysMatch' ? {} : { error: kind }),
  };
}
