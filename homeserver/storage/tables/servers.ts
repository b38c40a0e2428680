/**
 * servers: a row is a Matrix server seen. Written by Names when one of its users is first met; joined by users and room_servers.
 * Grows by a row for each server; immutable.
 */
import type { Queryable } from '../database.ts';

const INSERT = `
insert into servers (name) select n from unnest($1::text[]) n
where not exists (select from servers s where s.name = n)
order by n
on conflict (name) do nothing`;

/** Inserts the servers that are missing. */
export async function insertServers(db: Queryable, names: readonly string[]): Promise<void> {
  await db.query({ name: 'servers_insert', text: INSERT, values: [names] });
}
