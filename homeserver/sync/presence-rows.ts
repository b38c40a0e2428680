import type { LockedPresenceRow, PresenceRow, PresenceUpdate, ToldPresenceRow } from '../storage/tables/presence.ts';
import { dueAt, looksTheSame, settle } from './presence-state.ts';
import type { Presence, PresenceName } from './presence-state.ts';

/** Values of the column `presence.state`. */
const STATES = { online: 1, unavailable: 2, offline: 3 } as const;

function stateOf(value: number): PresenceName {
  if (value === STATES.online) return 'online';
  return value === STATES.unavailable ? 'unavailable' : 'offline';
}

/** A row as the rules see it. */
export function presenceOf(row: LockedPresenceRow): Presence {
  const devices = row.devices.map((deviceNo, i) => ({
    deviceNo,
    declared: row.declared[i] === STATES.online ? ('online' as const) : ('unavailable' as const),
    until: row.untils[i] ?? 0,
  }));
  return { ...toldOf(row), devices };
}

function toldOf(row: PresenceRow): Omit<Presence, 'devices'> {
  return {
    state: stateOf(row.state),
    statusMsg: row.status_msg,
    lastActiveAt: row.last_active_at,
    currentlyActive: row.currently_active,
  };
}

/** What has to be written where `before` has become `after`. */
export function updateOf(userNo: number, before: Presence, after: Presence): PresenceUpdate {
  return {
    user_no: userNo,
    state: STATES[after.state],
    status_msg: after.statusMsg,
    last_active_at: after.lastActiveAt,
    currently_active: after.currentlyActive,
    changed: !looksTheSame(before, after),
    due_at: dueAt(after) ?? null,
    devices: after.devices.map((device) => device.deviceNo),
    declared: after.devices.map((device) => STATES[device.declared]),
    untils: after.devices.map((device) => device.until),
  };
}

/** Content of m.presence; `now` is the database's time. Spec: client-server API, "m.presence" (v1.19). */
export function presenceContent(row: PresenceRow, now: number) {
  const { state, statusMsg, lastActiveAt, currentlyActive } = toldOf(row);
  return {
    presence: state,
    ...(lastActiveAt > 0 && { last_active_ago: Math.max(0, now - lastActiveAt) }),
    ...(statusMsg !== null && { status_msg: statusMsg }),
    ...(state === 'online' && { currently_active: currentlyActive }),
  };
}

/** Content of m.presence as syncs have it: with the present name and avatar. */
export function toldContent(row: Omit<ToldPresenceRow, 'changed_at' | 'now'>, now: number) {
  const { displayname, avatar_url: avatarUrl } = row;
  return {
    ...presenceContent(row, now),
    ...(displayname !== null && { displayname }),
    ...(avatarUrl?.startsWith('mxc://') === true && { avatar_url: avatarUrl }),
  };
}

/** As `presenceContent`, of a row that the sweep may not have come to yet. */
export function presentContent(row: LockedPresenceRow) {
  const settled = settle(presenceOf(row), row.now);
  return presenceContent({ ...row, ...updateOf(row.user_no, settled, settled) }, row.now);
}
