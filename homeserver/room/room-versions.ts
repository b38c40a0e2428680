/** What redaction leaves of an event. */
export interface RedactionRules {
  /** Top-level keys that stay. */
  readonly topLevel: ReadonlySet<string>;
  /** Keys of `content` that stay, by event type; `all` keeps the whole content; other types keep none. */
  readonly content: ReadonlyMap<string, ReadonlySet<string> | 'all'>;
  /** m.room.member keeps `third_party_invite.signed`. */
  readonly keepsThirdPartySigned: boolean;
}

/** One room version as data: every place where versions differ has a name here. */
export interface RoomVersionRules {
  readonly version: string;
  /** Who names an event: the server that makes it, or its reference hash in Base64 or URL-safe Base64. */
  readonly eventIdFormat: 'given-by-server' | 'base64' | 'base64url';
  /** Numbers in events: integers within ±(2^53-1), or any that JSON can write. */
  readonly numbers: 'integers' | 'any';
  /** Room ids carry the creator's server, or are the create event's id with `!` for `$`. */
  readonly roomIdFormat: 'with-server' | 'create-event-hash';
  readonly stateResolution: 'v1' | 'v2' | 'v2.1';
  /** m.room.create stands among the auth events. */
  readonly createInAuthEvents: boolean;
  /** Who made the room: `content.creator`, the create event's sender, or the sender and `additional_creators`. */
  readonly creators: 'content-creator' | 'sender' | 'sender-and-additional';
  /** Power of creators: 100 while there is no m.room.power_levels, or always above every number. */
  readonly creatorPower: 'hundred-by-default' | 'infinite';
  /** What power levels may be: integers only, or also strings of digits and, where `numbers` allows them, fractions. */
  readonly levelFormat: 'integers' | 'numbers-or-strings';
  /** Changing `notifications` in m.room.power_levels takes the power that changing `events` does. */
  readonly guardsNotificationLevels: boolean;
  /** A server may send m.room.aliases under its own name, without being in the room. */
  readonly aliasesByServer: boolean;
  /** The auth rules judge whether an m.room.redaction may redact its target. */
  readonly redactionsInAuthRules: boolean;
  /** The join rules under which somebody can get in; under any other nobody can. */
  readonly joinRules: ReadonlySet<string>;
  /** Where m.room.redaction names its target. */
  readonly redactsIn: 'top-level' | 'content';
  readonly redaction: RedactionRules;
}

/** Membership `knock` exists. Spec: room version 7. */
export function allowsKnocking(rules: RoomVersionRules): boolean {
  return rules.joinRules.has('knock');
}

/** A member can vouch for one who joins. Spec: room version 8. */
export function allowsRestrictedJoins(rules: RoomVersionRules): boolean {
  return rules.joinRules.has('restricted');
}

/** An event carries its id, and names others with their hashes. Spec: room versions 1 and 2, "Event format". */
export function carriesEventId(rules: RoomVersionRules): boolean {
  return rules.eventIdFormat === 'given-by-server';
}

/** Kept in every room version. */
const KEPT_TOP_LEVEL = [
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
];
const KEPT_TOP_LEVEL_BEFORE_V11 = ['prev_state', 'origin', 'membership'];
const KEPT_POWER_LEVELS = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
];

/** Spec: room version 1, "Redactions" (unchanged until version 5). */
const REDACTION_V1: RedactionRules = {
  topLevel: new Set([...KEPT_TOP_LEVEL, ...KEPT_TOP_LEVEL_BEFORE_V11]),
  content: new Map([
    ['m.room.member', new Set(['membership'])],
    ['m.room.create', new Set(['creator'])],
    ['m.room.join_rules', new Set(['join_rule'])],
    ['m.room.power_levels', new Set(KEPT_POWER_LEVELS)],
    ['m.room.aliases', new Set(['aliases'])],
    ['m.room.history_visibility', new Set(['history_visibility'])],
  ]),
  keepsThirdPartySigned: false,
};

/** Spec: room version 6, "Redactions" (unchanged in version 7). */
const REDACTION_V6: RedactionRules = {
  ...REDACTION_V1,
  content: new Map([...REDACTION_V1.content].filter(([type]) => type !== 'm.room.aliases')),
};

/** Spec: room version 8, "Redactions". */
const REDACTION_V8: RedactionRules = {
  ...REDACTION_V6,
  content: new Map([...REDACTION_V6.content, ['m.room.join_rules', new Set(['join_rule', 'allow'])]]),
};

/** Spec: room version 9, "Redactions" (unchanged in version 10). */
const REDACTION_V9: RedactionRules = {
  ...REDACTION_V8,
  content: new Map([
    ...REDACTION_V8.content,
    ['m.room.member', new Set(['membership', 'join_authorised_via_users_server'])],
  ]),
};

/** Spec: room version 11, "Redactions". */
const REDACTION_V11: RedactionRules = {
  topLevel: new Set(KEPT_TOP_LEVEL),
  content: new Map<string, ReadonlySet<string> | 'all'>([
    ...REDACTION_V9.content,
    ['m.room.create', 'all'],
    ['m.room.power_levels', new Set([...KEPT_POWER_LEVELS, 'invite'])],
    ['m.room.redaction', new Set(['redacts'])],
  ]),
  keepsThirdPartySigned: true,
};

const v1: RoomVersionRules = {
  version: '1',
  eventIdFormat: 'given-by-server',
  numbers: 'any',
  roomIdFormat: 'with-server',
  stateResolution: 'v1',
  createInAuthEvents: true,
  creators: 'content-creator',
  creatorPower: 'hundred-by-default',
  levelFormat: 'numbers-or-strings',
  guardsNotificationLevels: false,
  aliasesByServer: true,
  redactionsInAuthRules: true,
  joinRules: new Set(['public', 'invite']),
  redactsIn: 'top-level',
  redaction: REDACTION_V1,
};

const v2: RoomVersionRules = { ...v1, version: '2', stateResolution: 'v2' };

const v3: RoomVersionRules = { ...v2, version: '3', eventIdFormat: 'base64', redactionsInAuthRules: false };

const v4: RoomVersionRules = { ...v3, version: '4', eventIdFormat: 'base64url' };

/** Differs from version 4 in the validity of signing keys alone, which is for those to judge who have the keys. */
const v5: RoomVersionRules = { ...v4, version: '5' };

const v6: RoomVersionRules = {
  ...v5,
  version: '6',
  numbers: 'integers',
  guardsNotificationLevels: true,
  aliasesByServer: false,
  redaction: REDACTION_V6,
};

const v7: RoomVersionRules = { ...v6, version: '7', joinRules: new Set([...v6.joinRules, 'knock']) };

const v8: RoomVersionRules = {
  ...v7,
  version: '8',
  joinRules: new Set([...v7.joinRules, 'restricted']),
  redaction: REDACTION_V8,
};

const v9: RoomVersionRules = { ...v8, version: '9', redaction: REDACTION_V9 };

const v10: RoomVersionRules = {
  ...v9,
  version: '10',
  levelFormat: 'integers',
  joinRules: new Set([...v9.joinRules, 'knock_restricted']),
};

const v11: RoomVersionRules = {
  ...v10,
  version: '11',
  creators: 'sender',
  redactsIn: 'content',
  redaction: REDACTION_V11,
};

const v12: RoomVersionRules = {
  ...v11,
  version: '12',
  roomIdFormat: 'create-event-hash',
  stateResolution: 'v2.1',
  createInAuthEvents: false,
  creators: 'sender-and-additional',
  creatorPower: 'infinite',
};

/** The room versions that this server takes part in, by name. */
export const ROOM_VERSIONS: ReadonlyMap<string, RoomVersionRules> = new Map(
  [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12].map((rules) => [rules.version, rules]),
);
