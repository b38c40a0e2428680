import type { JsonObject } from '../room/json-value.ts';

/**
 * What a preset puts into a new room. Spec: client-server API, "createRoom" (v1.19). `invite` is the power that inviting takes, which it
 * leaves open: where only who is invited can join, members bring in others, as an event without that level says and other servers do.
 */
export const ROOM_PRESETS = {
  private_chat: { joinRule: 'invite', historyVisibility: 'shared', guestAccess: 'can_join', invite: 0 },
  trusted_private_chat: { joinRule: 'invite', historyVisibility: 'shared', guestAccess: 'can_join', invite: 0 },
  public_chat: { joinRule: 'public', historyVisibility: 'shared', guestAccess: 'forbidden', invite: 50 },
} as const;

export type RoomPreset = keyof typeof ROOM_PRESETS;

/** The state events of a preset, in the order in which they are sent. */
export function presetState(preset: RoomPreset): readonly { type: string; content: JsonObject }[] {
  const { joinRule, historyVisibility, guestAccess } = ROOM_PRESETS[preset];
  return [
    { type: 'm.room.join_rules', content: { join_rule: joinRule } },
    { type: 'm.room.history_visibility', content: { history_visibility: historyVisibility } },
    { type: 'm.room.guest_access', content: { guest_access: guestAccess } },
  ];
}
