import { MatrixError } from '../errors.ts';
import { authStateKeys } from '../room/auth/select-auth-events.ts';
import { parseUserId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import type { Names } from '../storage/write-batch.ts';
import type { NumberedDraft, RoomIntent } from './intent.ts';
import type { RoomHeads } from './room-heads.ts';
import type { EventDraft, StateName } from './room-writer.ts';

/** Largest event type, state key and transaction id, in bytes. Spec: client-server API, "Size limits" (v1.19). */
const MAX_KEY_BYTES = 255;

/** Gives a draft its numbers; without a query once its names are known. Errors: M_TOO_LARGE, M_BAD_JSON. */
export async function numberDraft(names: Names, draft: EventDraft): Promise<NumberedDraft> {
  checkNames(draft);
  const { type, stateKey, sender } = draft;
  const isMember = type === 'm.room.member' && stateKey !== undefined;
  return {
    draft,
    typeNo: names.knownTypeNo(type) ?? (await names.typeNo(type)),
    senderNo: names.knownUserNo(sender) ?? (await names.userNo(sender)),
    stateKeyNo: stateKey === undefined ? undefined : await names.stateKeyNo(type, stateKey),
    memberNo: isMember ? await names.userNo(stateKey) : undefined,
  };
}

function checkNames({ type, stateKey, transaction, redacts }: EventDraft): void {
  checkText('event type', type);
  if (stateKey !== undefined) checkText('state key', stateKey);
  if (transaction !== undefined) checkText('transaction id', transaction.txnId);
  if (type === 'm.room.member' && stateKey !== undefined && parseUserId(stateKey) === undefined) {
    throw new MatrixError('M_BAD_JSON', 'The state key of m.room.member must be a user id.');
  }
  // What is in its content takes effect: only `redacts` has been compared with the room and the power of its sender.
  if (type === 'm.room.redaction' && (redacts === undefined || stateKey !== undefined)) {
    throw new MatrixError('M_BAD_JSON', 'A redaction names the event that it redacts and is not state.');
  }
}

function checkText(what: string, text: string): void {
  if (Buffer.byteLength(text) > MAX_KEY_BYTES) {
    throw new MatrixError('M_TOO_LARGE', `The ${what} takes more than ${MAX_KEY_BYTES} bytes.`);
  }
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new MatrixError('M_BAD_JSON', `The ${what} holds characters that are not allowed.`);
  }
}

/**
 * Loads everything of the room that building the intent looks at; false when we do not know the room. Synchronous in effect, no
 * query, when all of it is cached.
 */
export async function prepareIntent(heads: RoomHeads, intent: RoomIntent): Promise<boolean> {
  const { roomId, changesState: chain, fresh } = intent;
  // A change that was refused beside another branch may go in all the same, once what it replaces is known.
  const own = intent.tries > 1 ? ownEntries(intent.drafts) : [];
  const guess = [...likelyNeeds(intent.drafts), ...own];
  let head = fresh ? undefined : heads.usable(roomId);
  head ??= await heads.ensure(roomId, { names: guess, chain, fresh });
  if (head === undefined) return false;
  intent.needs = [...exactNeeds(intent.drafts, head.rules), ...own];
  const needs = { names: intent.needs, chain, fresh: false };
  return heads.has(roomId, needs) || (await heads.ensure(roomId, needs)) !== undefined;
}

/** Names needed whatever the room version, so that a room that is not cached takes one query. */
function likelyNeeds(drafts: readonly NumberedDraft[]): StateName[] {
  const names: StateName[] = [
    ['m.room.create', ''],
    ['m.room.power_levels', ''],
  ];
  for (const { draft } of drafts) {
    names.push(['m.room.member', draft.sender], ...(draft.guard?.needs ?? []));
    if (draft.type !== 'm.room.member' || draft.stateKey === undefined) continue;
    names.push(['m.room.join_rules', ''], ['m.room.member', draft.stateKey]);
  }
  return names;
}

function ownEntries(drafts: readonly NumberedDraft[]): StateName[] {
  return drafts.flatMap(({ draft: { type, stateKey } }) => (stateKey === undefined ? [] : [[type, stateKey]]));
}

function exactNeeds(drafts: readonly NumberedDraft[], rules: RoomVersionRules): StateName[] {
  return drafts.flatMap(({ draft }) => {
    const { type, sender, stateKey, content } = draft;
    return [...authStateKeys({ type, sender, stateKey, content }, rules), ...(draft.guard?.needs ?? [])];
  });
}
