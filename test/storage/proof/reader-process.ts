import type { Store } from '../../../homeserver/storage/store.ts';
import { openTestStore } from '../../support/store-fixture.ts';
import { databaseConfig, persist, readInput, say } from './process-input.ts';

/**
 * Follows the stream until the position that arrives on standard input has been reached, then says everything it saw, in the
 * order in which it saw it: `events` asks the table for what comes after the last position, `commits` takes the feed.
 */
const input = readInput();
const seen: number[] = [];
let end = Infinity;

process.stdin.setEncoding('utf8').on('data', (text: string) => {
  end = Number(text);
});

const store = await persist(() => openTestStore({ config: databaseConfig(input.directory) }));
await say({ ready: true });
if (input.kind === 'events') await followEvents(store);
else await followCommits(store);
await say({ seen });
await store.close();
process.exit(0);

async function followEvents(on: Store): Promise<void> {
  const text = 'select position from events where position > $1 order by position limit 500';
  for (let last = 0; last < end; ) {
    const values = [last];
    const rows = await persist(() => on.db.query<{ position: number }>({ name: 'proof_follow', text, values }));
    for (const { position } of rows) seen.push(position);
    last = rows.at(-1)?.position ?? last;
    if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What the feed misses is not asked for: it must not miss anything. The first commit was made before the readers came. */
async function followCommits(on: Store): Promise<void> {
  seen.push(on.feed.seen);
  on.feed.onCommit((commit) => seen.push(commit.last));
  while (on.feed.seen < end) await new Promise((resolve) => setTimeout(resolve, 20));
}
