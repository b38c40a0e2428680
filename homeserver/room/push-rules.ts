import type { JsonObject, JsonValue } from './json-value.ts';

/** The kinds of push rules, in the order in which they are tried. */
export const PUSH_RULE_KINDS = ['override', 'content', 'room', 'sender', 'underride'] as const;

export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number];

/** One push rule as clients see it. */
export type PushRule = {
  readonly rule_id: string;
  /** True for the predefined rules. */
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly JsonValue[];
  /** For the kinds override and underride. */
  readonly conditions?: readonly JsonObject[] | undefined;
  /** For the kind content. */
  readonly pattern?: string | undefined;
};

/** The rules of one user by kind, each kind in the order in which it is tried. */
export type PushRuleset = { readonly [kind in PushRuleKind]: readonly PushRule[] };

const HIGHLIGHT = { set_tweak: 'highlight' };
const DEFAULT_SOUND = { set_tweak: 'sound', value: 'default' };
const ROOM_POWER = { kind: 'sender_notification_permission', key: 'room' };
const RING = { set_tweak: 'sound', value: 'ring' };

/**
 * Predefined rules that look for mentions in the text; they match no event that has `m.mentions`. Specified up to v1.16, and kept for
 * messages of older clients, of bridges and of bots (docs/decisions/0027-mentions-in-texts.md).
 */
export const TEXT_MENTION_RULES: ReadonlySet<string> = new Set([
  '.m.rule.contains_display_name',
  '.m.rule.roomnotif',
  '.m.rule.contains_user_name',
]);

/** What `.m.rule.roomnotif` looks for. */
export const ROOM_WORD = '@room';

/**
 * The rules that every user starts with.
 *
 * Spec: Client-Server API, "Push Notifications", "Predefined Rules" (v1.19, and those of v1.16 in `TEXT_MENTION_RULES`).
 */
export function defaultPushRules(userId: string): PushRuleset {
  return {
    override: overrideRules(userId),
    content: [containsUserName(localpartIn(userId))],
    room: [],
    sender: [],
    underride: underrideRules(),
  };
}

/** Of an id that is known to be one. */
export function localpartIn(userId: string): string {
  return userId.slice(1, userId.indexOf(':'));
}

function overrideRules(userId: string): PushRule[] {
  return [
    { ...rule('.m.rule.master', [], []), enabled: false },
    rule('.m.rule.suppress_notices', [matches('content.msgtype', 'm.notice')], []),
    rule('.m.rule.invite_for_me', inviteOf(userId), ['notify', DEFAULT_SOUND]),
    rule('.m.rule.member_event', [matches('type', 'm.room.member')], []),
    rule('.m.rule.is_user_mention', [mentions(userId)], ['notify', DEFAULT_SOUND, HIGHLIGHT]),
    rule('.m.rule.contains_display_name', [{ kind: 'contains_display_name' }], ['notify', DEFAULT_SOUND, HIGHLIGHT]),
    rule('.m.rule.is_room_mention', [is('content.m\\.mentions.room', true), ROOM_POWER], ['notify', HIGHLIGHT]),
    rule('.m.rule.roomnotif', [matches('content.body', ROOM_WORD), ROOM_POWER], ['notify', HIGHLIGHT]),
    rule('.m.rule.tombstone', [matches('type', 'm.room.tombstone'), matches('state_key', '')], ['notify', HIGHLIGHT]),
    rule('.m.rule.reaction', [matches('type', 'm.reaction')], []),
    rule('.m.rule.room.server_acl', [matches('type', 'm.room.server_acl'), matches('state_key', '')], []),
    rule('.m.rule.suppress_edits', [is('content.m\\.relates_to.rel_type', 'm.replace')], []),
  ];
}

function underrideRules(): PushRule[] {
  const twoMembers = { kind: 'room_member_count', is: '2' };
  const message = matches('type', 'm.room.message');
  const encrypted = matches('type', 'm.room.encrypted');
  return [
    rule('.m.rule.call', [matches('type', 'm.call.invite')], ['notify', RING]),
    rule('.m.rule.encrypted_room_one_to_one', [twoMembers, encrypted], ['notify', DEFAULT_SOUND]),
    rule('.m.rule.room_one_to_one', [twoMembers, message], ['notify', DEFAULT_SOUND]),
    rule('.m.rule.message', [message], ['notify']),
    rule('.m.rule.encrypted', [encrypted], ['notify']),
  ];
}

function rule(id: string, conditions: readonly JsonObject[], actions: readonly JsonValue[]): PushRule {
  return { rule_id: id, default: true, enabled: true, conditions, actions };
}

function matches(key: string, pattern: string): JsonObject {
  return { kind: 'event_match', key, pattern };
}

function is(key: string, value: JsonValue): JsonObject {
  return { kind: 'event_property_is', key, value };
}

function inviteOf(userId: string): JsonObject[] {
  return [matches('type', 'm.room.member'), matches('content.membership', 'invite'), matches('state_key', userId)];
}

function mentions(userId: string): JsonObject {
  return { kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId };
}

function containsUserName(localpart: string): PushRule {
  const actions = ['notify', DEFAULT_SOUND, HIGHLIGHT];
  return { rule_id: '.m.rule.contains_user_name', default: true, enabled: true, pattern: localpart, actions };
}
