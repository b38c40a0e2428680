import type { Replica } from '../../homeserver/commands/start-replica.ts';

/** Names of the statements that a replica runs on its readers' pool while `work` runs, without the feed's own. */
export async function statementsDuring(replica: Replica | undefined, work: () => Promise<unknown>): Promise<string[]> {
  const db = replica?.app.store.db;
  if (db === undefined) throw new Error('there is no such replica');
  const names: string[] = [];
  const original = db.query.bind(db);
  db.query = (statement) => {
    names.push(statement.name);
    return original(statement);
  };
  try {
    await work();
  } finally {
    db.query = original;
  }
  // The feed looks now and then for commits of which it may have missed the notification, and a worker for unfinished profiles.
  return names.filter((name) => !name.startsWith('commits_') && name !== 'profile_updates_update_claim');
}
