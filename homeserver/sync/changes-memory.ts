import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';
import {
  ALWAYS_READ,
  type ChangesRow,
  type EverythingRow,
  type MembershipRow,
} from '../storage/sync-reads/select-changes.ts';
import { selectRoomNews, type RoomNewsRow } from '../storage/sync-reads/select-room-news.ts';
import type { AccountDataRow } from '../storage/sync-reads/select-streams.ts';
import type { Commit } from '../storage/write-batch.ts';
import { MEMBERSHIP } from './membership.ts';
import type { Notifier } from './notifier.ts';
import { ReadMemory } from './read-memory.ts';
import type { Interest } from './recent-commits.ts';

/** What of a membership is its user's own, and not the room's. */
type OwnMembership = Pick<MembershipRow, 'membership' | 'flags' | 'position' | 'event_no' | 'reads_position'>;

/** What a sync has read of a user that only commits which name the user can change. */
interface OwnFacts {
  readonly interest: Interest;
  /** Position up to which commits are in it. */
  readonly at: number;
  /** Memberships by room, as far as they were read. */
  readonly rooms: ReadonlyMap<number, OwnMembership>;
  /** What keeps things from the user. */
  readonly accountData: readonly AccountDataRow[];
  readonly rulesPosition: number;
}

/** What changed for a reader, with the rooms that they are joined to. */
export interface FoundChanges {
  readonly changes: Changes;
  readonly interest: Interest;
}

type Changes = Omit<ChangesRow, 'joined'> | EverythingRow;

const READERS = 5000;
const MAX_READER_BYTES = 8_000_000;
const ROOMS_OF_READER = 100;
const NEWS = 2000;
const MAX_NEWS_BYTES = 1_000_000;
/** A reader with news of more rooms is better read alone. */
const MAX_ROOMS = 8;

const NO_ROOMS: ReadonlySet<number> = new Set();

/**
 * What changed for those who go on from the same position, without a query for each: who it is that reads is remembered as long as no
 * commit names them, and what happened in a room is read once for all its members.
 */
export class ChangesMemory {
  readonly #store: Pick<Store, 'db' | 'feed'>;
  readonly #notifier: Notifier;
  readonly #own: BoundedCache<number, OwnFacts>;
  readonly #news: ReadMemory<RoomNewsRow>;
  readonly #remove: (() => void)[];

  constructor(store: Pick<Store, 'db' | 'feed' | 'caches'>, notifier: Notifier) {
    this.#store = store;
    this.#notifier = notifier;
    this.#own = store.caches.bounded('own_facts', {
      entries: READERS,
      bytes: MAX_READER_BYTES,
      weigh: (_user, { rooms, accountData }) =>
        300 + 150 * rooms.size + accountData.reduce((sum, { content }) => sum + 150 + content.length, 0),
    });
    this.#news = new ReadMemory(store, 'room_news', { entries: NEWS, bytes: MAX_NEWS_BYTES });
    this.#remove = [
      store.feed.onCommit((commit) => {
        this.#onCommit(commit);
      }),
      store.feed.onReset(() => {
        this.#own.clear();
      }),
    ];
  }

  /** Notes what a sync has read of its reader, unless a commit seen since then makes it void. */
  remember({ changes, interest }: FoundChanges): void {
    const { userNo } = interest;
    if (this.#notifier.mayHaveChanged({ userNo, rooms: NO_ROOMS }, changes.head)) return;
    const before = [...(this.#own.get(userNo)?.rooms ?? [])];
    const joined = changes.rooms.filter(({ membership }) => membership === MEMBERSHIP.join);
    const read = joined.slice(-ROOMS_OF_READER).map((row) => [row.room_no, ownPart(row)] as const);
    const others = before
      .slice(read.length - ROOMS_OF_READER)
      .filter(([roomNo]) => !joined.some((row) => row.room_no === roomNo));
    this.#own.set(userNo, {
      interest,
      at: changes.head,
      rooms: new Map([...(read.length < ROOMS_OF_READER ? others : []), ...read]),
      accountData: changes.account_data.filter(isAlwaysRead),
      rulesPosition: changes.rules_position,
    });
  }

  /**
   * What is new for a reader since a position, if nothing is but what happened in a few of their rooms, and nothing that is remembered
   * of them is void; as the database would say it at the position that is given as its head. Undefined: ask for all of it.
   */
  async read(userNo: number, since: number): Promise<FoundChanges | undefined> {
    const { feed } = this.#store;
    const own = this.#own.get(userNo);
    const touched = own && this.#notifier.roomsTouched(own.interest, { after: since, upTo: feed.seen });
    if (own === undefined || touched === undefined || touched.size === 0 || touched.size > MAX_ROOMS) return undefined;
    if ([...touched.keys()].some((roomNo) => !own.rooms.has(roomNo))) return undefined;
    const news = await this.#readNews(touched, since);
    const head = Math.max(...news.map((row) => row.head));
    // What was read may be ahead of the commits that are known: they say whom else it concerns.
    if (feed.seen < head) await feed.catchUp();
    return this.#isComplete(own, news, { since, head }) ? found(own, news, { since, head }) : undefined;
  }

  close(): void {
    for (const remove of this.#remove) remove();
    this.#news.close();
  }

  /** By room and the commit that touched it last: nothing that is read after that commit was seen is out of date until the next one. */
  async #readNews(touched: ReadonlyMap<number, number>, since: number): Promise<RoomNewsRow[]> {
    const { generation } = this.#news;
    const keys = new Map([...touched].map(([roomNo, last]) => [`${roomNo}/${since}/${last}`, roomNo]));
    const known = [...keys.keys()].flatMap((key) => this.#news.get(key) ?? []);
    if (known.length === keys.size) return known;
    const read = await this.#news.readOnce([...keys.keys()], async (missing) => {
      const asked = [...keys].filter(([key]) => missing.has(key)).map(([key, roomNo]) => ({ key, roomNo, since }));
      const rows = new Map((await selectRoomNews(this.#store.db, asked)).map((row) => [row.room_no, row]));
      const byKey = new Map<string, RoomNewsRow>();
      for (const { key, roomNo } of asked) {
        const row = rows.get(roomNo);
        if (row === undefined) continue;
        byKey.set(key, row);
        this.#news.set(key, { value: row, bytes: 400 + 200 * row.receipts.length }, generation);
      }
      return byKey;
    });
    return [...read.values()];
  }

  /** Whether the news and what is known of the reader are all that there is up to the head. */
  #isComplete(own: OwnFacts, news: readonly RoomNewsRow[], { since, head }: { since: number; head: number }): boolean {
    if (this.#own.get(own.interest.userNo) !== own || own.at > head || this.#store.feed.seen < head) return false;
    const touched = this.#notifier.roomsTouched(own.interest, { after: since, upTo: head });
    if (touched === undefined) return false;
    const readAt = new Map(news.map((row) => [row.room_no, row.head]));
    return [...touched].every(([roomNo, last]) => last <= (readAt.get(roomNo) ?? 0));
  }

  #onCommit({ users }: Commit): void {
    if (users === undefined) this.#own.clear();
    else for (const userNo of users) this.#own.delete(userNo);
  }
}

function isAlwaysRead({ room_no: roomNo, type }: AccountDataRow): boolean {
  return roomNo === 0 && ALWAYS_READ.has(type);
}

function ownPart({ membership, flags, position, event_no, reads_position }: MembershipRow): OwnMembership {
  return { membership, flags, position, event_no, reads_position };
}

/** The same as `selectChangesSince` would have found. */
function found(
  own: OwnFacts,
  news: readonly RoomNewsRow[],
  { since, head }: { since: number; head: number },
): FoundChanges {
  const sorted = news.toSorted((a, b) => a.room_no - b.room_no);
  const rooms = sorted.flatMap(({ receipts: _receipts, since: _since, head: _head, ...room }): MembershipRow[] => {
    const membership = room.last_position > since ? own.rooms.get(room.room_no) : undefined;
    return membership === undefined ? [] : [{ ...room, ...membership }];
  });
  const changes = {
    head,
    rooms,
    receipts: sorted.flatMap((row) => row.receipts),
    account_data: [...own.accountData],
    rules_position: own.rulesPosition,
  };
  return { changes, interest: own.interest };
}
