/**
 * Every reason for which the auth rules refuse an event. The comment gives the rule's number in room version 12. In
 * versions before 12 there is no rule 2, and later numbers are one lower; but versions 1 to 5 have a rule 4 of their
 * own, so there the numbers from 5 on are those of version 12.
 */
export const AUTH_RULES = {
  'create.has_prev_events': 'a create event follows no other event', // 1.1
  'create.has_room_id': 'the create event of this room version carries no room_id', // 1.2 (v12)
  'create.foreign_room_id': "the room id names another server than the sender's", // 1.2 (before v12)
  'create.unknown_version': 'the room version is not one we know', // 1.3
  'create.no_creator': 'the create event names no creator', // 1.4 (before v11)
  'create.bad_additional_creators': 'additional_creators is not a list of user ids', // 1.4 (v12)
  'room.no_create': 'the room has no create event', // 2 (v12), 2.4 (before)
  'room.other_room': 'the create event belongs to another room', // 2 (v12), 2.5 (before)
  'auth_events.duplicate': 'two auth events stand for the same state', // 3.1
  'auth_events.unexpected': 'an auth event is not one that this event selects', // 3.2
  'auth_events.rejected': 'an auth event was itself rejected', // 3.3
  'auth_events.no_create': 'the create event is not among the auth events', // 2.4 (before v12)
  'auth_events.other_room': 'an auth event belongs to another room', // 3.5
  'room.not_federated': "the room is closed to servers other than its creator's", // 4
  'aliases.no_state_key': 'aliases need the name of a server for state key', // 4.1 (v1 to v5)
  'aliases.foreign_server': "the aliases are those of another server than the sender's", // 4.2 (v1 to v5)
  'member.malformed': 'a membership event needs a state key and a membership', // 5.1
  'member.authoriser_not_signed': 'the server of the authorising user has not signed', // 5.2.1
  'member.unknown_membership': 'the membership is unknown', // 5.8
  'join.not_own': 'a join is sent by the user who joins', // 5.3.2
  'join.banned': 'the user is banned', // 5.3.3
  'join.authoriser_may_not_invite': 'the authorising user is not joined or may not invite', // 5.3.5.2
  'join.not_allowed': 'the join rule does not let this user in', // 5.3.7, with 5.3.4
  'invite.third_party_banned': 'the invited user is banned', // 5.4.1.1
  'invite.third_party_unsigned': 'the third-party invite has no signed part', // 5.4.1.2
  'invite.third_party_incomplete': 'the signed part lacks mxid or token', // 5.4.1.3
  'invite.third_party_other_user': 'the signed part is about another user', // 5.4.1.4
  'invite.third_party_unknown_token': 'the room has no third-party invite with this token', // 5.4.1.5
  'invite.third_party_other_sender': 'another user made the third-party invite', // 5.4.1.6
  'invite.third_party_bad_signature': 'no signature fits a key of the third-party invite', // 5.4.1.8
  'invite.sender_not_joined': 'the inviting user is not in the room', // 5.4.2
  'invite.target_joined_or_banned': 'the invited user is in the room already or banned from it', // 5.4.3
  'invite.too_little_power': 'the sender may not invite', // 5.4.5
  'leave.not_in_room': 'the user is neither in the room nor invited nor knocking', // 5.5.1
  'leave.sender_not_joined': 'the removing user is not in the room', // 5.5.2
  'leave.may_not_unban': 'the sender may not lift a ban', // 5.5.3
  'leave.too_little_power': 'the sender may not remove this user', // 5.5.5
  'ban.sender_not_joined': 'the banning user is not in the room', // 5.6.1
  'ban.too_little_power': 'the sender may not ban this user', // 5.6.3
  'knock.not_allowed': 'the join rule allows no knocking', // 5.7.1
  'knock.not_own': 'a knock is sent by the user who knocks', // 5.7.2
  'knock.banned_or_inside': 'the user is banned, invited or in the room already', // 5.7.4
  'sender.not_joined': 'the sender is not in the room', // 6
  'third_party_invite.too_little_power': 'the sender may not invite', // 7.1
  'event.too_little_power': 'the sender may not send events of this type', // 8
  'event.foreign_state_key': 'the state key is the id of another user', // 9
  'power.bad_level': 'a level is not an integer', // 10.1
  'power.bad_map': 'events or notifications is not an object of integers', // 10.2
  'power.bad_users': 'users is not an object of user ids and integers', // 10.3
  'power.names_creator': 'users names a creator, whose power is fixed', // 10.4 (v12)
  'power.level_above_own': 'the old or new value of a level is above the power of the sender', // 10.6
  'power.entry_above_own': 'the old value of an entry is above the power of the sender', // 10.7
  'power.new_entry_above_own': 'the new value of an entry is above the power of the sender', // 10.8
  'power.user_not_below_own': 'the old power of another user is not below that of the sender', // 10.9
  'power.new_user_above_own': 'the new power of a user is above that of the sender', // 10.10
  'redaction.may_not_redact': 'the sender may not redact an event that another server named', // 11.3 (v1, v2)
} as const;

/** Code of one reason for refusing an event. */
export type AuthRule = keyof typeof AUTH_RULES;

/** What the auth rules say of an event. */
export type AuthResult = { allowed: true } | { allowed: false; rule: AuthRule; because: string };

export const ALLOWED: AuthResult = { allowed: true };

/** A refusal by that rule; `detail` names what was found wrong and never holds message content. */
export function deny(rule: AuthRule, detail?: string): AuthResult {
  const text = AUTH_RULES[rule];
  return { allowed: false, rule, because: detail === undefined ? text : `${text}: ${detail}` };
}
