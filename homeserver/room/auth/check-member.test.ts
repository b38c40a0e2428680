import { expect, test } from 'vitest';
import {
  joinRule,
  member,
  perVersion,
  powerLevels,
  STORY_POWER,
  verdict,
  type AuthCase,
  type Told,
} from '../../../test/support/room-story.ts';

/** What `sender` does to `target`. */
function does(sender: string, membership: string, target = sender): Told {
  return { type: 'm.room.member', sender, stateKey: target, content: { membership } };
}

/** A join for which another user vouches. */
function vouched(authoriser: string, signedBy: string[]): Told {
  const content = { membership: 'join', join_authorised_via_users_server: authoriser };
  return { ...does('@stranger:two', 'join'), content, signedBy };
}

const firstJoin = { ...does('@creator:one', 'join'), prevEvents: ['$create'] };
const onlyCreate = ['m.room.member', 'm.room.power_levels', 'm.room.join_rules'];

const shape: AuthCase[] = [
  { name: 'a membership without state key', event: { type: 'm.room.member' }, says: 'member.malformed' },
  {
    name: 'a member event without membership',
    event: { ...does('@a:one', 'x'), content: {} },
    says: 'member.malformed',
  },
  { name: 'an unknown membership', event: does('@alice:one', 'watch'), says: 'member.unknown_membership' },
  {
    name: 'a membership that is a number',
    event: { ...does('@alice:one', 'x'), content: { membership: 1 } },
    says: 'member.unknown_membership',
  },
];

const joins: AuthCase[] = [
  { name: 'the first join of the creator', event: firstJoin, without: onlyCreate, says: 'allowed' },
  {
    name: 'the first join by an additional creator',
    event: { ...does('@second:one', 'join'), prevEvents: ['$create'] },
    without: onlyCreate,
    says: 'join.not_allowed',
  },
  {
    name: 'a join of the creator after more than the create event',
    event: { ...firstJoin, prevEvents: ['$create', '$more'] },
    without: onlyCreate,
    says: 'join.not_allowed',
  },
  { name: 'a join for another user', event: does('@admin:one', 'join', '@left:two'), says: 'join.not_own' },
  {
    name: 'a join of a banned user',
    event: does('@banned:two', 'join'),
    state: [joinRule('public')],
    says: 'join.banned',
  },
  { name: 'a join of an invited user', event: does('@invited:two', 'join'), says: 'allowed' },
  { name: 'a join of a member again', event: does('@alice:one', 'join'), says: 'allowed' },
  { name: 'a join without invite', event: does('@stranger:two', 'join'), says: 'join.not_allowed' },
  {
    name: 'a join without join rules in the room',
    event: does('@stranger:two', 'join'),
    without: ['m.room.join_rules'],
    says: 'join.not_allowed',
  },
  ...[{ without: ['m.room.join_rules'] }, { state: [{ ...joinRule('invite'), content: {} }] }].map((row) => ({
    name: `a join of an invited user ${'without' in row ? 'without join rules in the room' : 'where the join rules say nothing'}`,
    event: does('@invited:two', 'join'),
    ...row,
    says: 'allowed',
  })),
  {
    name: 'a join of a stranger into a public room',
    event: does('@stranger:two', 'join'),
    state: [joinRule('public')],
    says: 'allowed',
  },
  {
    name: 'a join of one who knocks',
    event: does('@knocking:two', 'join'),
    state: [joinRule('knock')],
    says: 'join.not_allowed',
  },
  {
    name: 'a join of one invited where others knock',
    event: does('@invited:two', 'join'),
    state: [joinRule('knock')],
    since: 7,
    says: 'allowed',
  },
  {
    name: 'a join of one invited under a rule of version 7',
    event: does('@invited:two', 'join'),
    state: [joinRule('knock')],
    until: 6,
    says: 'join.not_allowed',
  },
  {
    name: 'a join under an unknown rule',
    event: does('@invited:two', 'join'),
    state: [joinRule('private')],
    says: 'join.not_allowed',
  },
];

const restrictedRules = [
  { rule: 'restricted', since: 8 },
  { rule: 'knock_restricted', since: 10 },
] as const;

const restrictedJoins: AuthCase[] = restrictedRules.flatMap(({ rule, since }) => [
  {
    name: `a join of a member again, before the rule is there (${rule})`,
    event: does('@alice:one', 'join'),
    state: [joinRule(rule)],
    until: since - 1,
    says: 'join.not_allowed',
  },
  {
    name: `a join for which a member vouches, before the rule is there (${rule})`,
    event: vouched('@alice:one', ['one', 'two']),
    state: [joinRule(rule)],
    until: since - 1,
    says: 'join.not_allowed',
  },
  {
    name: `a join of an invited user (${rule})`,
    event: does('@invited:two', 'join'),
    state: [joinRule(rule)],
    since,
    says: 'allowed',
  },
  {
    name: `a join for which no one vouches (${rule})`,
    event: does('@stranger:two', 'join'),
    state: [joinRule(rule)],
    since,
    says: 'join.authoriser_may_not_invite',
  },
  {
    name: `a join for which a member vouches (${rule})`,
    event: vouched('@alice:one', ['one', 'two']),
    state: [joinRule(rule)],
    since,
    says: 'allowed',
  },
  {
    name: `a join that the voucher's server has not signed (${rule})`,
    event: vouched('@alice:one', ['two']),
    state: [joinRule(rule)],
    since,
    says: 'member.authoriser_not_signed',
  },
  {
    name: `a join for which one who left vouches (${rule})`,
    event: vouched('@left:two', ['two']),
    state: [joinRule(rule)],
    since,
    says: 'join.authoriser_may_not_invite',
  },
  {
    name: `a join for which one vouches who may not invite (${rule})`,
    event: vouched('@alice:one', ['one']),
    state: [joinRule(rule), powerLevels({ ...STORY_POWER, invite: 1 })],
    since,
    says: 'join.authoriser_may_not_invite',
  },
  {
    name: `a join with a voucher that is no user id (${rule})`,
    event: vouched('alice', ['one']),
    state: [joinRule(rule)],
    since,
    says: 'member.authoriser_not_signed',
  },
  {
    name: `a join with a voucher that is a number (${rule})`,
    event: { ...does('@stranger:two', 'join'), content: { membership: 'join', join_authorised_via_users_server: 5 } },
    state: [joinRule(rule)],
    since,
    says: 'member.authoriser_not_signed',
  },
]);

/** Before version 8 nobody vouches for anybody: the key means nothing. */
const vouchedBefore: AuthCase[] = [
  {
    name: 'a join into a public room with a voucher whose server has not signed',
    event: vouched('@alice:one', ['two']),
    state: [joinRule('public')],
    until: 7,
    says: 'allowed',
  },
  {
    name: 'a join into a public room with a voucher whose server has not signed',
    event: vouched('@alice:one', ['two']),
    state: [joinRule('public')],
    since: 8,
    says: 'member.authoriser_not_signed',
  },
];

const invites: AuthCase[] = [
  { name: 'an invite of a stranger', event: does('@alice:one', 'invite', '@stranger:two'), says: 'allowed' },
  { name: 'an invite of one who left', event: does('@alice:one', 'invite', '@left:two'), says: 'allowed' },
  {
    name: 'an invite by one who left',
    event: does('@left:two', 'invite', '@stranger:two'),
    says: 'invite.sender_not_joined',
  },
  {
    name: 'an invite of a member',
    event: does('@alice:one', 'invite', '@bob:two'),
    says: 'invite.target_joined_or_banned',
  },
  {
    name: 'an invite of a banned user',
    event: does('@admin:one', 'invite', '@banned:two'),
    says: 'invite.target_joined_or_banned',
  },
  {
    name: 'an invite below the invite level',
    event: does('@alice:one', 'invite', '@stranger:two'),
    state: [powerLevels({ ...STORY_POWER, invite: 50 })],
    says: 'invite.too_little_power',
  },
];

const leaves: AuthCase[] = [
  ...['@alice:one', '@invited:two', '@knocking:two'].map((user) => ({
    name: `${user} leaves`,
    event: does(user, 'leave'),
    says: 'allowed',
  })),
  ...['@left:two', '@stranger:two', '@banned:two'].map((user) => ({
    name: `${user} leaves`,
    event: does(user, 'leave'),
    says: 'leave.not_in_room',
  })),
  { name: 'a kick by one who left', event: does('@left:two', 'leave', '@bob:two'), says: 'leave.sender_not_joined' },
  { name: 'a kick by a moderator', event: does('@mod:one', 'leave', '@bob:two'), says: 'allowed' },
  {
    name: 'a kick below the kick level',
    event: does('@alice:one', 'leave', '@bob:two'),
    says: 'leave.too_little_power',
  },
  {
    name: 'a kick of one with more power',
    event: does('@mod:one', 'leave', '@admin:one'),
    says: 'leave.too_little_power',
  },
  {
    name: 'a kick of one with equal power',
    event: does('@mod:one', 'leave', '@bob:two'),
    state: [powerLevels({ users: { '@mod:one': 50, '@bob:two': 50 } })],
    says: 'leave.too_little_power',
  },
  { name: 'an unban by a moderator', event: does('@mod:one', 'leave', '@banned:two'), says: 'allowed' },
  {
    name: 'an unban below the ban level',
    event: does('@mod:one', 'leave', '@banned:two'),
    state: [powerLevels({ ...STORY_POWER, ban: 51 })],
    says: 'leave.may_not_unban',
  },
  {
    name: 'a kick of a creator',
    event: does('@admin:one', 'leave', '@second:one'),
    since: 12,
    says: 'leave.too_little_power',
  },
  {
    name: 'a kick of one creator by the other',
    event: does('@creator:one', 'leave', '@second:one'),
    since: 12,
    says: 'leave.too_little_power',
  },
];

const bansAndKnocks: AuthCase[] = [
  { name: 'a ban by a moderator', event: does('@mod:one', 'ban', '@bob:two'), says: 'allowed' },
  { name: 'a ban of a stranger', event: does('@mod:one', 'ban', '@stranger:two'), says: 'allowed' },
  { name: 'a ban by one who left', event: does('@left:two', 'ban', '@bob:two'), says: 'ban.sender_not_joined' },
  { name: 'a ban below the ban level', event: does('@alice:one', 'ban', '@bob:two'), says: 'ban.too_little_power' },
  {
    name: 'a ban of one with equal power',
    event: does('@mod:one', 'ban', '@bob:two'),
    state: [powerLevels({ users: { '@mod:one': 50, '@bob:two': 50 } })],
    says: 'ban.too_little_power',
  },
  { name: 'a ban of one with more power', event: does('@mod:one', 'ban', '@admin:one'), says: 'ban.too_little_power' },
  { name: 'a knock where none is allowed', event: does('@left:two', 'knock'), since: 7, says: 'knock.not_allowed' },
  {
    name: 'a knock before there was knocking',
    event: does('@left:two', 'knock'),
    state: [joinRule('knock')],
    until: 6,
    says: 'member.unknown_membership',
  },
  ...[
    { rule: 'knock', since: 7 },
    { rule: 'knock_restricted', since: 10 },
  ].map(({ rule, since }) => ({
    name: `a knock (${rule})`,
    event: does('@left:two', 'knock'),
    state: [joinRule(rule)],
    since,
    says: 'allowed',
  })),
  {
    name: 'a knock under a rule of version 10',
    event: does('@left:two', 'knock'),
    state: [joinRule('knock_restricted')],
    since: 7,
    until: 9,
    says: 'knock.not_allowed',
  },
  {
    name: 'a knock for another',
    event: does('@left:two', 'knock', '@stranger:two'),
    state: [joinRule('knock')],
    since: 7,
    says: 'knock.not_own',
  },
  ...['@banned:two', '@invited:two', '@alice:one'].map((user) => ({
    name: `a knock of ${user}`,
    event: does(user, 'knock'),
    state: [joinRule('knock')],
    since: 7,
    says: 'knock.banned_or_inside',
  })),
  {
    name: 'a second knock',
    event: does('@knocking:two', 'knock'),
    state: [joinRule('knock'), member('@x:one', 'join')],
    since: 7,
    says: 'allowed',
  },
];

const all = [...shape, ...joins, ...restrictedJoins, ...vouchedBefore, ...invites, ...leaves, ...bansAndKnocks];

test.for(perVersion(all))('$title: $says', (row) => {
  expect(verdict(row)).toBe(row.says);
});
