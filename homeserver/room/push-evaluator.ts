import { isJsonObject, ownMember, ownObject, type JsonValue } from './json-value.ts';
import { bodyTest, compileCondition, memberTest } from './push-conditions.ts';
import type { CompiledCondition, PushSubject, PushTest, RuleNeeds } from './push-conditions.ts';
import { PUSH_RULE_KINDS, TEXT_MENTION_RULES } from './push-rules.ts';
import type { PushRule, PushRuleKind, PushRuleset } from './push-rules.ts';

/** What the first matching rule says of an event. */
export interface PushVerdict {
  readonly notify: boolean;
  /** Only together with `notify`. */
  readonly highlight: boolean;
  /** Those of the rule, without the ones that the specification has given up. */
  readonly actions: readonly JsonValue[];
}

/** The rules of one user, ready to be tried. */
export interface CompiledPushRules {
  /** What the rules say; events of the user's own are not to be asked about. Undefined when no rule matches. */
  judge(subject: PushSubject): PushVerdict | undefined;
  /** What rules of the user's own want to know; of the predefined ones an event shows it by mentioning somebody. */
  readonly needs: RuleNeeds;
  /** Notices and edits notify nobody unless a rule says so that knows no more of them than type, sender and room. */
  readonly suppressesNoise: boolean;
  /** Predefined rules look for mentions in texts. */
  readonly readsTexts: boolean;
}

interface CompiledRule {
  readonly test: PushTest;
  readonly verdict: PushVerdict;
  readonly needs: RuleNeeds;
  readonly isOwn: boolean;
}

/** Compiles the rules of a user. Spec: client-server API, "Push Rules" (v1.19). */
export function compilePushRules(ruleset: PushRuleset): CompiledPushRules {
  const rules = PUSH_RULE_KINDS.flatMap((kind) => ruleset[kind].flatMap((rule) => compileRule(kind, rule) ?? []));
  const own = rules.filter((rule) => rule.isOwn).map((rule) => rule.needs);
  return {
    judge: (subject) => rules.find((rule) => rule.test(subject))?.verdict,
    needs: {
      content: own.some((needs) => needs.content),
      displayName: own.some((needs) => needs.displayName),
      power: own.some((needs) => needs.power),
    },
    suppressesNoise: ['.m.rule.suppress_notices', '.m.rule.suppress_edits'].every((id) =>
      ruleset.override.some((rule) => rule.rule_id === id && rule.enabled && !verdictOf(rule).notify),
    ),
    readsTexts: PUSH_RULE_KINDS.some((kind) =>
      ruleset[kind].some((rule) => rule.enabled && TEXT_MENTION_RULES.has(rule.rule_id)),
    ),
  };
}

/** Whether an action is one of those that are to be ignored. Spec: client-server API, "Historical Actions" (v1.19). */
function isHistorical(action: JsonValue): boolean {
  return action === 'dont_notify' || action === 'coalesce';
}

function verdictOf(rule: PushRule): PushVerdict {
  const actions = rule.actions.filter((action) => !isHistorical(action));
  const notify = actions.includes('notify');
  return { notify, highlight: notify && actions.some(isHighlight), actions };
}

function isHighlight(action: JsonValue): boolean {
  if (!isJsonObject(action) || ownMember(action, 'set_tweak') !== 'highlight') return false;
  const value = ownMember(action, 'value');
  return value === undefined || value === true;
}

/** Undefined for a rule that can match nothing. */
function compileRule(kind: PushRuleKind, rule: PushRule): CompiledRule | undefined {
  if (!rule.enabled) return undefined;
  const conditions = conditionsOf(kind, rule);
  const known = conditions.filter((condition) => condition !== undefined);
  if (known.length < conditions.length) return undefined;
  const isForTexts = TEXT_MENTION_RULES.has(rule.rule_id);
  return {
    test: (subject) => (!isForTexts || !hasMentions(subject)) && known.every(({ test }) => test(subject)),
    verdict: verdictOf(rule),
    needs: {
      content: known.some(({ needs }) => needs.content),
      displayName: known.some(({ needs }) => needs.displayName),
      power: known.some(({ needs }) => needs.power),
    },
    isOwn: !rule.default,
  };
}

/** Whether the sender has said who is mentioned, be it nobody. */
function hasMentions({ event }: PushSubject): boolean {
  return ownMember(ownObject(event, 'content') ?? {}, 'm.mentions') !== undefined;
}

function conditionsOf(kind: PushRuleKind, rule: PushRule): readonly (CompiledCondition | undefined)[] {
  switch (kind) {
    case 'content':
      return [rule.pattern === undefined ? undefined : bodyTest(rule.pattern)];
    case 'room':
      return [memberTest('room_id', rule.rule_id)];
    case 'sender':
      return [memberTest('sender', rule.rule_id)];
    case 'override':
    case 'underride':
      return (rule.conditions ?? []).map(compileCondition);
  }
}
