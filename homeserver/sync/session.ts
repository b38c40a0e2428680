import type { Queryable } from '../storage/database.ts';
import type { ReaderView } from '../room/history-visibility.ts';
import type { SyncContext } from './context.ts';
import type { LargeRead } from './large-reads.ts';

/** Who reads: the caller of an endpoint. */
export interface ReadingUser {
  readonly userId: string;
  readonly userNo: number;
  readonly deviceNo: number;
  /** Where the answer may be large: the part of the request in what large answers may take together. */
  readonly large?: LargeRead;
}

/** One request that reads rooms. */
export interface Session {
  readonly ctx: SyncContext;
  readonly db: Queryable;
  readonly reader: ReadingUser;
  /** Unix ms, for the ages of events. */
  readonly now: number;
  readonly numbers: WellKnownNumbers;
  /** What the snapshots met so far say about the reader; filled by `loadViews`. */
  readonly views: Map<number, ReaderView>;
}

/** Numbers of the names that every reading needs. */
export interface WellKnownNumbers {
  readonly memberType: number;
  readonly redactionType: number;
  readonly visibilityKey: number;
  /** State key of the reader's own membership. */
  readonly ownMemberKey: number;
}

/** Opens a reading. Statements of it run on their own; what has to fit together is read by one statement. */
export async function openSession(ctx: SyncContext, reader: ReadingUser): Promise<Session> {
  const numbers = await wellKnownNumbers(ctx, reader);
  return { ctx, db: ctx.store.db, reader, now: Date.now(), numbers, views: new Map() };
}

async function wellKnownNumbers(ctx: SyncContext, reader: ReadingUser): Promise<WellKnownNumbers> {
  const names = ctx.store.names;
  const [memberType, redactionType, visibilityKey, ownMemberKey] = await Promise.all([
    names.typeNo('m.room.member'),
    names.typeNo('m.room.redaction'),
    names.stateKeyNo('m.room.history_visibility', ''),
    names.stateKeyNo('m.room.member', reader.userId),
  ]);
  return { memberType, redactionType, visibilityKey, ownMemberKey };
}
