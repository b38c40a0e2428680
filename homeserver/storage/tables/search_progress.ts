/**
 * search_progress: the one row says how far event_search has come. Locked and moved on by the search index, on any replica; read by it
 * alone. Never grows.
 */
import type { Queryable } from '../database.ts';

// Readers of the row wait for each other, so two replicas never index the same events at once.
const SELECT = `select position from search_progress for update`;

/** The position up to which events are indexed, locked until the end of the transaction. */
export async function selectSearchPosition(db: Queryable): Promise<number> {
  const rows = await db.query<{ position: number }>({ name: 'search_progress_select', text: SELECT });
  return rows[0]?.position ?? 0;
}

const UPDATE = `update search_progress set position = $1`;

export async function updateSearchPosition(db: Queryable, position: number): Promise<void> {
  await db.query({ name: 'search_progress_update', text: UPDATE, values: [position] });
}
