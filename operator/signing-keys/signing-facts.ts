import * as z from 'zod';
import { withSession } from '../database/sessions.ts';
import type { DatabaseLogin, Session } from '../database/connect.ts';
import type { ReplicaFacts, SigningFacts } from './key-facts.ts';

const SELECT_REPLICAS = `select id, keyring_generation::float8 as generation, clock::float8 as clock,
  heartbeat::float8 as heartbeat, last_signed_ts as last_signed, fenced_at is null
    and heartbeat > extract(epoch from clock_timestamp()) * 1000 - 30000 as is_live
  from ops.replica order by heartbeat desc limit 1000`;
const SELECT_FLOOR = 'select generation::float8 as generation, at::float8 as at from ops.keyring_floor';
const SELECT_LAST_SIGNED = 'select key_id, ts::float8 as ts from ops.last_signed order by ts desc limit 1000';
/** Only ever raised: replicas obey the highest that they have heard of. */
const RAISE_FLOOR = `update ops.keyring_floor
  set generation = $1, at = floor(extract(epoch from clock_timestamp()) * 1000)::int8 where generation < $1`;

const ReplicaRow = z.object({
  id: z.string(),
  generation: z.number(),
  clock: z.number(),
  heartbeat: z.number(),
  last_signed: z.record(z.string(), z.number()),
  is_live: z.boolean(),
});
const FloorRow = z.object({ generation: z.number(), at: z.number() });
const SignedRow = z.object({ key_id: z.string(), ts: z.number() });

/** What the homeserver's processes say of their signing; there is nothing to read before the first migration. */
export async function readSigningFacts(session: Session): Promise<SigningFacts> {
  const replicas = z.array(ReplicaRow).parse(await session.query(SELECT_REPLICAS));
  const signed = z.array(SignedRow).parse(await session.query(SELECT_LAST_SIGNED));
  const floor = FloorRow.parse((await session.query(SELECT_FLOOR))[0]);
  const lastSigned = Object.fromEntries(signed.map(({ key_id: keyId, ts }) => [keyId, ts]));
  return { replicas: replicas.map(toFacts), floor, lastSigned };
}

/** From the replicas' next heartbeat on nobody signs with a keyring older than `generation`. */
export function raiseFloor(login: DatabaseLogin, generation: number): Promise<void> {
  return withSession(login, async (session) => {
    await session.query(RAISE_FLOOR, [generation]);
  });
}

function toFacts(row: z.infer<typeof ReplicaRow>): ReplicaFacts {
  const { id, generation, clock, heartbeat, last_signed: lastSigned, is_live: isLive } = row;
  return { id, generation, clock, heartbeat, lastSigned, isLive };
}
