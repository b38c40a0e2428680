import { MatrixError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../room/json-value.ts';
import { compilePushRules } from '../room/push-evaluator.ts';
import {
  changeRule,
  pushRulesetOf,
  putRule,
  removeRule,
  type OwnPushRule,
  type PushRuleChanges,
  type RuleName,
  type RulePlace,
} from '../room/push-rule-changes.ts';
import { PUSH_RULE_KINDS, type PushRule, type PushRuleset } from '../room/push-rules.ts';
import { parsePushRuleChanges } from '../storage/stored-push-rules.ts';
import { selectPushRules, type PushRulesRow } from '../storage/tables/push_rules.ts';
import type { SyncContext } from './context.ts';
import { LoadedPushRules } from './loaded-push-rules.ts';
import type { ReadingUser } from './session.ts';

type Owner = Pick<ReadingUser, 'userId' | 'userNo'>;

/** Limits for one user: every rule that looks into messages is tried on each of them. */
const MAX_RULES = 1000;
const MAX_CONTENT_RULES = 200;
const MAX_CHARACTERS = 262_144;

/** The rules of a user whose last change is at `position`, or newer ones. Without a query while they are cached. */
export async function readPushRules(ctx: SyncContext, owner: Owner, position: number): Promise<LoadedPushRules> {
  const cached = ctx.sync.pushRules.get(String(owner.userNo));
  if (cached?.position === position) return cached;
  return load(ctx, owner, position === 0 ? undefined : await selectPushRules(ctx.store.db, owner.userNo));
}

/** The rules of a user as they stand in the database. */
export async function readNewestPushRules(ctx: SyncContext, owner: Owner): Promise<LoadedPushRules> {
  const row = await selectPushRules(ctx.store.db, owner.userNo);
  const cached = ctx.sync.pushRules.get(String(owner.userNo));
  return cached?.position === (row?.position ?? 0) ? cached : load(ctx, owner, row);
}

function load(ctx: SyncContext, owner: Owner, row: PushRulesRow | undefined): LoadedPushRules {
  const ruleset = pushRulesetOf(owner.userId, parsePushRuleChanges(row?.rules));
  const bytes = 16_000 + 6 * (row?.rules.length ?? 0);
  const position = row?.position ?? 0;
  const rules = new LoadedPushRules({ position, ruleset, compiled: compilePushRules(ruleset), bytes });
  ctx.sync.pushRules.set(String(owner.userNo), rules);
  return rules;
}

/** The rules of a user as they stand in the database. Spec: client-server API, "Push Rules" (v1.19). */
export async function readRuleset(ctx: SyncContext, owner: Owner): Promise<PushRuleset> {
  return (await readNewestPushRules(ctx, owner)).ruleset;
}

/** Errors: M_NOT_FOUND. */
export async function readRule(ctx: SyncContext, owner: Owner, { kind, ruleId }: RuleName): Promise<PushRule> {
  const rule = (await readRuleset(ctx, owner))[kind].find((other) => other.rule_id === ruleId);
  if (rule === undefined) throw notFound();
  return rule;
}

/** A rule as its user gives it. */
export interface NewRule extends RuleName {
  readonly actions: readonly JsonValue[];
  readonly conditions?: readonly JsonObject[] | undefined;
  readonly pattern?: string | undefined;
}

/** Makes a rule or changes it. Errors: M_UNKNOWN with 400 (no such neighbour), M_TOO_LARGE (too many rules). */
export function writeRule(ctx: SyncContext, owner: Owner, rule: NewRule, place: RulePlace): Promise<void> {
  return change(ctx, owner, (changes) => {
    const put = putRule(changes, rule.kind, entryOf(rule), place);
    if (put !== undefined) return put;
    const neighbour = place.before ?? place.after ?? '';
    throw new MatrixError('M_UNKNOWN', `before/after: you have no rule ${neighbour} of this kind.`, { status: 400 });
  });
}

function entryOf({ kind, ruleId, actions, conditions = [], pattern }: NewRule): Omit<OwnPushRule, 'enabled'> {
  switch (kind) {
    case 'override':
    case 'underride':
      return { rule_id: ruleId, actions, conditions };
    case 'content':
      return { rule_id: ruleId, actions, pattern: pattern ?? '' };
    case 'room':
    case 'sender':
      return { rule_id: ruleId, actions };
  }
}

/** Errors: M_NOT_FOUND. */
export function deleteRule(ctx: SyncContext, owner: Owner, name: RuleName): Promise<void> {
  return change(ctx, owner, (changes) => removeRule(changes, name) ?? refuse());
}

/** Enables, disables or gives new actions to a rule, also a predefined one. Errors: M_NOT_FOUND. */
export function setRule(
  ctx: SyncContext,
  owner: Owner,
  name: RuleName,
  setting: Parameters<typeof changeRule>[2],
): Promise<void> {
  return change(ctx, owner, (changes) => changeRule(changes, name, setting) ?? refuse());
}

function change(ctx: SyncContext, owner: Owner, apply: (changes: PushRuleChanges) => PushRuleChanges): Promise<void> {
  return ctx.writer.changeOwnData({ kind: 'push_rules', userNo: owner.userNo }, (text) => {
    const changed = apply(parsePushRuleChanges(text));
    const next = JSON.stringify(changed);
    checkSize(changed, next);
    return next === text ? undefined : next;
  });
}

function checkSize({ own }: PushRuleChanges, text: string): void {
  const count = PUSH_RULE_KINDS.reduce((sum, kind) => sum + own[kind].length, 0);
  if (count > MAX_RULES) throw new MatrixError('M_TOO_LARGE', `You may have at most ${MAX_RULES} push rules.`);
  if (own.content.length > MAX_CONTENT_RULES)
    throw new MatrixError('M_TOO_LARGE', `You may have at most ${MAX_CONTENT_RULES} push rules of the kind content.`);
  if (text.length > MAX_CHARACTERS) throw new MatrixError('M_TOO_LARGE', 'Your push rules are too large.');
}

function refuse(): never {
  throw notFound();
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'You have no such push rule.');
}
