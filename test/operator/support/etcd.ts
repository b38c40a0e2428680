import * as z from 'zod';

/** Key -> value, both in base64 as etcd's JSON gateway writes them. */
type Content = ReadonlyMap<string, string>;

interface Change {
  readonly remove: readonly string[];
  readonly put: Content;
}

const Range = z.looseObject({ kvs: z.array(z.looseObject({ key: z.string(), value: z.string() })).default([]) });
/** etcd takes 128 operations in one transaction. */
const MOST_OPERATIONS = 100;
const TIMEOUT_MS = 30_000;
/** The byte 0: as start and end of a range it means every key. */
const EVERY = 'AA==';

/** All that it holds. */
export async function readEtcd(url: string): Promise<Content> {
  const { kvs } = Range.parse(await ask(url, 'range', { key: EVERY, range_end: EVERY }));
  return new Map(kvs.map(({ key, value }) => [key, value]));
}

/** As whoever watches sees it: deletions first, each once. */
export async function changeEtcd(url: string, { remove, put }: Change): Promise<void> {
  const operations = [
    ...remove.map((key) => ({ request_delete_range: { key } })),
    ...[...put].map(([key, value]) => ({ request_put: { key, value } })),
  ];
  for (let from = 0; from < operations.length; from += MOST_OPERATIONS) {
    await ask(url, 'txn', { success: operations.slice(from, from + MOST_OPERATIONS) });
  }
}

export const etcdKey = (key: string): string => Buffer.from(key, 'base64').toString('utf8');

async function ask(url: string, what: 'range' | 'txn', body: object): Promise<unknown> {
  const answer = await fetch(`${url}/v3/kv/${what}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok)
    throw new Error(`etcd answered ${what} with ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
  return answer.json();
}
