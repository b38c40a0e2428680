import type { DeviceRow } from '../../storage/tables/devices.ts';

/** A device as clients see it; what is not known is left out. */
export function deviceAnswer(device: DeviceRow): Record<string, unknown> {
  return {
    device_id: device.device_id,
    ...(device.name !== null && { display_name: device.name }),
    ...(device.seen_at !== null && { last_seen_ts: device.seen_at }),
    ...(device.seen_address !== null && { last_seen_ip: device.seen_address }),
  };
}
