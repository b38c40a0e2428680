import * as z from 'zod';
import type { DatabaseLogin, Session } from './connect.ts';
import { withSession } from './sessions.ts';

/** What the tenant's database says of a restore into it. */
export interface RestoredFacts {
  /** `none`: nothing was restored; `running`: half of a backup may be here; `done`: all of one is. */
  readonly state: 'none' | 'running' | 'done';
  readonly backupId: string | undefined;
  /** A schema that no restore made. */
  readonly hasSchema: boolean;
  /** Sealed signing keys that nobody has made Secrets of yet, as JSON text. */
  readonly keyBundle: string | undefined;
}

const RELATIONS = `select to_regclass('restore.state') is not null as marker, to_regclass('ops.schema_state') is not null as schema,
  to_regclass('matrix_operator.restored_keys') is not null as keys`;
const MARKER = 'select backup_id, state from restore.state';
const KEYS = 'select bundle from matrix_operator.restored_keys';

const Relations = z.object({ marker: z.boolean(), schema: z.boolean(), keys: z.boolean() });
const Marker = z.object({ backup_id: z.string(), state: z.enum(['running', 'done']) });
const Bundle = z.object({ bundle: z.string().max(2_000_000) });

/** Errors: as `withSession`. */
export function readRestored(login: DatabaseLogin): Promise<RestoredFacts> {
  return withSession(login, async (session) => {
    const [found] = await session.query(RELATIONS);
    const { marker: hasMarker, schema: hasSchema, keys } = Relations.parse(found);
    const marker = hasMarker ? await readMarker(session) : undefined;
    const keyBundle = keys ? await readBundle(session) : undefined;
    return { state: marker?.state ?? 'none', backupId: marker?.backup_id, hasSchema, keyBundle };
  });
}

async function readMarker(session: Session): Promise<z.infer<typeof Marker> | undefined> {
  const [row] = await session.query(MARKER);
  return row === undefined ? undefined : Marker.parse(row);
}

async function readBundle(session: Session): Promise<string | undefined> {
  const [row] = await session.query(KEYS);
  return row === undefined ? undefined : Bundle.parse(row).bundle;
}

/** Takes the sealed keys away, once all of them are in Secrets. */
export function deleteKeyBundle(login: DatabaseLogin): Promise<void> {
  return withSession(login, async (session) => {
    await session.query('drop table if exists matrix_operator.restored_keys');
  });
}
