import { MatrixError } from '../errors.ts';
import { selectAccountData } from '../storage/sync-reads/select-streams.ts';
import type { SyncContext } from './context.ts';
import { readRuleset } from './push-rules.ts';
import type { ReadingUser } from './session.ts';

/** Types that only the server writes. Spec: client-server API, "Client Config" (v1.19). */
const MANAGED: ReadonlySet<string> = new Set(['m.fully_read', 'm.push_rules']);

/** A write batch takes 1 MB. */
const MAX_CONTENT_BYTES = 524_288;

/** One key of the account data of a user. */
export interface AccountDataKey {
  readonly type: string;
  /** Undefined: global. */
  readonly roomId: string | undefined;
}

/** Errors: M_BAD_JSON with 405 for types that the server manages, M_NOT_FOUND (no such room), M_TOO_LARGE. */
export async function writeOwnData(
  ctx: SyncContext,
  reader: ReadingUser,
  key: AccountDataKey,
  content: object,
): Promise<void> {
  if (MANAGED.has(key.type)) {
    throw new MatrixError('M_BAD_JSON', `${key.type} cannot be set through this API.`, { status: 405 });
  }
  const text = JSON.stringify(content);
  checkDataSize(text);
  const roomNo = await roomNoOf(ctx, key);
  await ctx.writer.writeStreams([
    { kind: 'account_data', userNo: reader.userNo, roomNo, type: key.type, content: text },
  ]);
}

/** The content as JSON text. Errors: M_NOT_FOUND. */
export async function readOwnData(ctx: SyncContext, reader: ReadingUser, key: AccountDataKey): Promise<string> {
  if (key.type === 'm.push_rules' && key.roomId === undefined)
    return JSON.stringify({ global: await readRuleset(ctx, reader) });
  const roomNo = await roomNoOf(ctx, key);
  const content = await selectAccountData(ctx.store.db, { userNo: reader.userNo, roomNo, type: key.type });
  if (content === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no account data of this type.');
  return content;
}

/** Errors: M_TOO_LARGE. */
export function checkDataSize(text: string): void {
  if (Buffer.byteLength(text) > MAX_CONTENT_BYTES)
    throw new MatrixError('M_TOO_LARGE', `Account data may have at most ${MAX_CONTENT_BYTES} bytes.`);
}

async function roomNoOf(ctx: SyncContext, key: AccountDataKey): Promise<number> {
  return key.roomId === undefined ? 0 : accountRoomNo(ctx, key.roomId);
}

/** The number of a room for which data is kept. Errors: M_NOT_FOUND. */
export async function accountRoomNo(ctx: SyncContext, roomId: string): Promise<number> {
  const roomNo = await ctx.store.names.roomNo(roomId);
  if (roomNo === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such room here.');
  return roomNo;
}
