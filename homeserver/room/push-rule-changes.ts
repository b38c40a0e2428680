import type { JsonObject, JsonValue } from './json-value.ts';
import { defaultPushRules, PUSH_RULE_KINDS, type PushRule, type PushRuleKind, type PushRuleset } from './push-rules.ts';

/** A rule that a user has made. */
export type OwnPushRule = Omit<PushRule, 'default'>;

/** What a user has made of a predefined rule. */
export interface PredefinedChange {
  readonly enabled?: boolean | undefined;
  readonly actions?: readonly JsonValue[] | undefined;
}

/** All that a user has changed of the push rules: new predefined rules of a later program reach everybody. */
export interface PushRuleChanges {
  /** Most important first. */
  readonly own: { readonly [kind in PushRuleKind]: readonly OwnPushRule[] };
  /** By rule id. */
  readonly predefined: { readonly [ruleId: string]: PredefinedChange };
}

export const NO_CHANGES: PushRuleChanges = {
  own: { override: [], content: [], room: [], sender: [], underride: [] },
  predefined: {},
};

/** Names one rule. */
export interface RuleName {
  readonly kind: PushRuleKind;
  readonly ruleId: string;
}

/** The rules of a user: own ones before predefined ones, but nothing before the master rule. Spec: client-server API, "Predefined Rules". */
export function pushRulesetOf(userId: string, changes: PushRuleChanges): PushRuleset {
  const predefined = defaultPushRules(userId);
  const all = (kind: PushRuleKind): PushRule[] => {
    const own = changes.own[kind].map((rule): PushRule => ({ ...rule, default: false }));
    const given = predefined[kind].map((rule) => changedRule(rule, changes.predefined));
    const master = given.filter((rule) => rule.rule_id === '.m.rule.master');
    return [...master, ...own, ...given.filter((rule) => !master.includes(rule))];
  };
  return {
    override: all('override'),
    content: all('content'),
    room: all('room'),
    sender: all('sender'),
    underride: all('underride'),
  };
}

function changedRule(rule: PushRule, changes: PushRuleChanges['predefined']): PushRule {
  const change = Object.hasOwn(changes, rule.rule_id) ? changes[rule.rule_id] : undefined;
  if (change === undefined) return rule;
  return { ...rule, enabled: change.enabled ?? rule.enabled, actions: change.actions ?? rule.actions };
}

/** Where a rule is put: beside a rule of the user's own of the same kind. */
export interface RulePlace {
  /** It becomes the next more important rule than this one. */
  readonly before?: string | undefined;
  /** It becomes the next less important rule than this one; `before` stands above it. */
  readonly after?: string | undefined;
}

/**
 * Adds a rule, as the most important one of its kind unless `place` says otherwise, or changes the one of that id, which then stays
 * where it is unless `place` is given, and enabled or not as it was. Undefined when there is no rule of the user's own to put it beside.
 */
export function putRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  rule: Omit<OwnPushRule, 'enabled'>,
  place: RulePlace,
): PushRuleChanges | undefined {
  const rules = changes.own[kind];
  const known = rules.findIndex((other) => other.rule_id === rule.rule_id);
  const entry: OwnPushRule = { ...rule, enabled: rules[known]?.enabled ?? true };
  const others = rules.filter((other) => other.rule_id !== rule.rule_id);
  const at = indexFor(others, place, Math.max(known, 0));
  return at === undefined ? undefined : withOwn(changes, kind, others.toSpliced(at, 0, entry));
}

function indexFor(others: readonly OwnPushRule[], { before, after }: RulePlace, usual: number): number | undefined {
  const neighbour = before ?? after;
  if (neighbour === undefined) return usual;
  const at = others.findIndex((rule) => rule.rule_id === neighbour);
  if (at === -1) return undefined;
  return before === undefined ? at + 1 : at;
}

/** Undefined when the user has no such rule. */
export function removeRule(changes: PushRuleChanges, { kind, ruleId }: RuleName): PushRuleChanges | undefined {
  const left = changes.own[kind].filter((rule) => rule.rule_id !== ruleId);
  return left.length === changes.own[kind].length ? undefined : withOwn(changes, kind, left);
}

/** Changes an own or a predefined rule; undefined when there is none of that name. */
export function changeRule(
  changes: PushRuleChanges,
  { kind, ruleId }: RuleName,
  change: { enabled: boolean } | { actions: readonly JsonValue[] },
): PushRuleChanges | undefined {
  if (isPredefined(kind, ruleId)) {
    const before = changes.predefined[ruleId];
    return { ...changes, predefined: { ...changes.predefined, [ruleId]: { ...before, ...change } } };
  }
  const rules = changes.own[kind];
  if (!rules.some((rule) => rule.rule_id === ruleId)) return undefined;
  return withOwn(
    changes,
    kind,
    rules.map((rule) => (rule.rule_id === ruleId ? { ...rule, ...change } : rule)),
  );
}

/**
 * Gives a room that replaces another one the rules that the user has made for the old one, beside those: rules of the kind `room`, and
 * rules that are bound to it by a condition. Rules that are there already stay. Undefined when there is nothing to add.
 * Spec: client-server API, "Room Upgrades" (v1.19).
 */
export function copyRoomRules(changes: PushRuleChanges, from: string, to: string): PushRuleChanges | undefined {
  let copied = changes;
  for (const kind of PUSH_RULE_KINDS) {
    const rules = changes.own[kind].flatMap((rule) => [rule, ...copyFor(changes.own[kind], rule, { from, to })]);
    if (rules.length > changes.own[kind].length) copied = withOwn(copied, kind, rules);
  }
  return copied === changes ? undefined : copied;
}

function copyFor(rules: readonly OwnPushRule[], rule: OwnPushRule, { from, to }: { from: string; to: string }) {
  const isBound = rule.conditions?.some((condition) => isRoomCondition(condition, from)) === true;
  if (rule.rule_id !== from && !isBound) return [];
  const id = rule.rule_id.includes(from) ? rule.rule_id.replaceAll(from, to) : `${rule.rule_id} ${to}`;
  if (rules.some((other) => other.rule_id === id)) return [];
  const conditions = rule.conditions?.map((condition) =>
    isRoomCondition(condition, from) ? { ...condition, pattern: to } : condition,
  );
  return [{ ...rule, rule_id: id, ...(conditions !== undefined && { conditions }) }];
}

function isRoomCondition(condition: JsonObject, roomId: string): boolean {
  const { kind, key, pattern } = condition;
  return kind === 'event_match' && key === 'room_id' && pattern === roomId;
}

/** Ids of predefined rules are the same for everybody; what differs is in their conditions. */
const PREDEFINED = defaultPushRules('');

function isPredefined(kind: PushRuleKind, ruleId: string): boolean {
  return PREDEFINED[kind].some((rule) => rule.rule_id === ruleId);
}

function withOwn(changes: PushRuleChanges, kind: PushRuleKind, rules: readonly OwnPushRule[]): PushRuleChanges {
  return { ...changes, own: { ...changes.own, [kind]: rules } };
}
