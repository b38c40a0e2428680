/**
 * devices: a row is a device of a local user. Written by login and device management; read by nearly every part.
 * Grows by one row a login without a known device_id; deleted by logout.
 */
import type { Queryable } from '../database.ts';

export interface DeviceRow {
  device_no: number;
  device_id: string;
  name: string | null;
  /** Unix ms of a recent request; null: never. */
  seen_at: number | null;
  seen_address: string | null;
}

export interface NewDevice {
  userNo: number;
  deviceId: string;
  /** Kept only when the device is new. */
  name: string | null;
  createdAt: number;
}

// The update changes nothing: it makes "returning" give the row that was there.
const UPSERT = `
  insert into devices (user_no, device_id, name, created_at) values ($1, $2, $3, $4)
  on conflict (user_no, device_id) do update set name = coalesce(devices.name, excluded.name)
  returning device_no`;

/** The number of the device, made when the user has none of this id. */
export async function upsertDevice(db: Queryable, device: NewDevice): Promise<number> {
  const values = [device.userNo, device.deviceId, device.name, device.createdAt];
  const [row] = await db.query<{ device_no: number }>({ name: 'devices_upsert', text: UPSERT, values });
  if (row === undefined) throw new Error('devices_upsert returned no row');
  return row.device_no;
}

const COUNT = `select count(*)::int4 as devices from (select 1 from devices where user_no = $1 limit $2) d`;

/** How many devices a user has, counted up to `atMost`. */
export async function selectDeviceCount(db: Queryable, userNo: number, atMost: number): Promise<number> {
  const rows = await db.query<{ devices: number }>({
    name: 'devices_select_count',
    text: COUNT,
    values: [userNo, atMost],
  });
  return rows[0]?.devices ?? 0;
}

const SELECT_ALL = `
  select device_no, device_id, name, seen_at, seen_address from devices where user_no = $1 order by device_no limit $2`;

/** Devices of a user, oldest first. */
export async function selectDevices(db: Queryable, userNo: number, limit: number): Promise<DeviceRow[]> {
  return db.query<DeviceRow>({ name: 'devices_select_all', text: SELECT_ALL, values: [userNo, limit] });
}

const SELECT_ONE = `
  select device_no, device_id, name, seen_at, seen_address from devices where user_no = $1 and device_id = $2`;

export async function selectDevice(db: Queryable, userNo: number, deviceId: string): Promise<DeviceRow | undefined> {
  const rows = await db.query<DeviceRow>({ name: 'devices_select_one', text: SELECT_ONE, values: [userNo, deviceId] });
  return rows[0];
}

const UPDATE_NAME = `update devices set name = $3 where user_no = $1 and device_id = $2 returning device_no`;

/** False when the user has no such device. */
export async function updateDeviceName(
  db: Queryable,
  device: { userNo: number; deviceId: string; name: string | null },
): Promise<boolean> {
  const values = [device.userNo, device.deviceId, device.name];
  const rows = await db.query({ name: 'devices_update_name', text: UPDATE_NAME, values });
  return rows.length === 1;
}

// Only rows that are stale are touched, so replicas that report the same device cost one write between them.
const UPDATE_SEEN = `
  update devices d set seen_at = s.at, seen_address = s.address
  from unnest($1::int8[], $2::int8[], $3::text[]) as s (device_no, at, address)
  where d.device_no = s.device_no and (d.seen_at is null or d.seen_at < s.at)`;

export interface SeenDevice {
  deviceNo: number;
  /** Unix ms. */
  at: number;
  address: string;
}

export async function updateDevicesSeen(db: Queryable, seen: readonly SeenDevice[]): Promise<void> {
  const values = [seen.map((s) => s.deviceNo), seen.map((s) => s.at), seen.map((s) => s.address)];
  await db.query({ name: 'devices_update_seen', text: UPDATE_SEEN, values });
}

const DELETE = `delete from devices where user_no = $1 and device_no = any($2::int8[]) returning device_no`;

/** Numbers of those that were there and belonged to the user. */
export async function deleteDevices(db: Queryable, userNo: number, deviceNos: readonly number[]): Promise<number[]> {
  const values = [userNo, deviceNos];
  const rows = await db.query<{ device_no: number }>({ name: 'devices_delete', text: DELETE, values });
  return rows.map((row) => row.device_no);
}

const DELETE_ALL = `delete from devices where user_no = $1 returning device_no`;

/** Numbers of the devices that were there. */
export async function deleteAllDevices(db: Queryable, userNo: number): Promise<number[]> {
  const rows = await db.query<{ device_no: number }>({
    name: 'devices_delete_all',
    text: DELETE_ALL,
    values: [userNo],
  });
  return rows.map((row) => row.device_no);
}
