import { randomBytes } from 'node:crypto';
import { parseEventId, type EventId, type ServerName } from '../room/identifiers.ts';

/** As many random bytes as a hash has: no two servers or replicas hit upon the same name. */
const RANDOM_BYTES = 32;
/** What a server name of the greatest length leaves of an id's 255 bytes is too little for a full name. */
const SHORT_BYTES = 12;

/** A name for an event of our own in room versions 1 and 2. Spec: room version 1, "Event IDs". */
export function randomEventId(serverName: ServerName): EventId {
  const named = (bytes: number) => parseEventId(`$${randomBytes(bytes).toString('base64url')}:${serverName}`);
  const eventId = named(RANDOM_BYTES) ?? named(SHORT_BYTES);
  if (eventId === undefined) throw new Error('the server name is too long for rooms of versions 1 and 2');
  return eventId;
}
