import type { Queryable, Statement } from '../database.ts';

/** Most faults that are counted of one kind. */
export const MAX_FAULTS = 1000;

const EVENT_ROOMS = `select e.event_id as fault from events e
where not exists (select from rooms r where r.room_no = e.room_no) limit 1000`;
const EVENT_SNAPSHOTS = `select e.event_id as fault from events e
where e.state_after <> 0 and not exists (select from snapshots s where s.snapshot = e.state_after) limit 1000`;
const SNAPSHOT_BASES = `select 'snapshot ' || s.snapshot as fault from snapshots s
where s.base <> 0 and not exists (select from snapshots b where b.snapshot = s.base) limit 1000`;
const STATE_EVENTS = `select r.room_id as fault from current_state c join rooms r on r.room_no = c.room_no
where not exists (select from events e where e.event_no = c.event_no) limit 1000`;
const MEMBER_EVENTS = `select 'room ' || m.room_no || ' user ' || m.user_no as fault from memberships m
where not exists (select from events e where e.event_no = m.event_no)
  or not exists (select from users u where u.user_no = m.user_no) limit 1000`;
const TIPS = `select r.room_id as fault from rooms r, unnest(r.tips) t (tip)
where not exists (select from events e where e.event_no = t.tip) limit 1000`;
const AUTH_EVENTS = `select 'event number ' || a.event_no as fault from event_auth a, unnest(a.auth) x (auth)
where not exists (select from events e where e.event_no = x.auth) limit 1000`;
const MERGED = `select 'event number ' || m.event_no as fault from merged_states m
where not exists (select from events e where e.event_no = m.event_no)
  or not exists (select from snapshots s where s.snapshot = m.snapshot) limit 1000`;
const DEVICES = `select u.user_id as fault from users u join accounts a on a.user_no = u.user_no
join access_tokens t on t.user_no = u.user_no
where not exists (select from devices d where d.device_no = t.device_no and d.user_no = u.user_no) limit 1000`;
const ACCOUNTS = `select 'account of user number ' || a.user_no as fault from accounts a
where not exists (select from users u where u.user_no = a.user_no and u.local) limit 1000`;
const ALIASES = `select a.alias as fault from aliases a
where not exists (select from rooms r where r.room_no = a.room_no) limit 1000`;

/** What must refer to something that is there: name of the check -> statement that gives at most 1000 rows that do not. */
const REFERENCES: Readonly<Record<string, Statement>> = {
  'events name rooms': { name: 'verify_event_rooms', text: EVENT_ROOMS },
  'events name snapshots': { name: 'verify_event_snapshots', text: EVENT_SNAPSHOTS },
  'snapshots name bases': { name: 'verify_snapshot_bases', text: SNAPSHOT_BASES },
  'state names events': { name: 'verify_state_events', text: STATE_EVENTS },
  'memberships name events and users': { name: 'verify_member_events', text: MEMBER_EVENTS },
  'rooms name newest events': { name: 'verify_tips', text: TIPS },
  'auth chains name events': { name: 'verify_auth_events', text: AUTH_EVENTS },
  'merged states name events and snapshots': { name: 'verify_merged_states', text: MERGED },
  'access tokens name devices': { name: 'verify_devices', text: DEVICES },
  'accounts name users': { name: 'verify_accounts', text: ACCOUNTS },
  'aliases name rooms': { name: 'verify_aliases', text: ALIASES },
};

export const REFERENCE_CHECKS: readonly string[] = Object.keys(REFERENCES);

/** What breaks one of REFERENCE_CHECKS, at most MAX_FAULTS. */
export async function selectDangling(db: Queryable, check: string): Promise<string[]> {
  const statement = REFERENCES[check];
  if (statement === undefined) throw new TypeError('there is no such check');
  return (await db.query<{ fault: string }>(statement)).map(({ fault }) => fault);
}
