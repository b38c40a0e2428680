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
const LOOK_MS = 200;
let lookedAt = 0;
let hasLost = false;

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
    if (rows.length > 0) continue;
    if (!hasLost && isTimeToLook()) await lookForLost(on, last);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function isTimeToLook(): boolean {
  const isTime = performance.now() - lookedAt >= LOOK_MS;
  if (isTime) lookedAt = performance.now();
  return isTime;
}

/** Says so once when events have come to stand before the last one that it saw. */
async function lookForLost(on: Store, last: number): Promise<void> {
  const text = 'select count(*)::int4 as all_there from events where position <= $1';
  const look = { name: 'proof_lost', text, values: [last] };
  const [row] = await persist(() => on.db.query<{ all_there: number }>(look));
  hasLost = (row?.all_there ?? 0) > seen.length;
  if (hasLost) await say({ lost: true });
}

/** What the feed misses is not asked for: it must not miss anything. The first commit was made before the readers came. */
async function followCommits(on: Store): Promise<void> {
  seen.push(on.feed.seen);
  on.feed.onCommit((commit) => seen.push(commit.last));
  while (on.feed.seen < end) await new Promise((resolve) => setTimeout(resolve, 20));
}
