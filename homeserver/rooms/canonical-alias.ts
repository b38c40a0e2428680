import { MatrixError } from '../errors.ts';
import { loadRoomHead } from '../pipeline/load-room-head.ts';
import { parseRoomAlias, type RoomId } from '../room/identifiers.ts';
import { ownMember, type JsonObject } from '../room/json-value.ts';
import { selectRoomIdOfAlias } from '../storage/tables/aliases.ts';
import type { RoomsContext } from './context.ts';

/** Aliases of one event: each costs a look-up. */
const MAX_ALIASES = 100;

/**
 * Aliases that a m.room.canonical_alias event adds must be well formed and lead to its room; those it has had are not looked at.
 * Errors: M_INVALID_PARAM, M_BAD_ALIAS. Spec: client-server API, "setRoomStateWithKey" (v1.19).
 */
export async function checkCanonicalAlias(ctx: RoomsContext, roomId: RoomId, content: JsonObject): Promise<void> {
  const wanted = wantedAliases(content);
  if (wanted.length > MAX_ALIASES)
    throw new MatrixError('M_INVALID_PARAM', `alt_aliases: at most ${MAX_ALIASES} are allowed`);
  const head = await loadRoomHead(ctx.store, roomId, [['m.room.canonical_alias', '']]);
  const present = new Set(aliasesOf(head?.found[0]?.event.content ?? {}));
  for (const alias of new Set(wanted)) {
    if (present.has(alias)) continue;
    const parsed = typeof alias === 'string' ? parseRoomAlias(alias) : undefined;
    if (parsed === undefined) throw new MatrixError('M_INVALID_PARAM', 'An alias must have the form #name:server.');
    if ((await selectRoomIdOfAlias(ctx.store.db, parsed)) === roomId) continue;
    throw new MatrixError('M_BAD_ALIAS', `The alias ${parsed} does not lead to this room.`);
  }
}

/** Errors: M_INVALID_PARAM. */
function wantedAliases(content: JsonObject): readonly unknown[] {
  const others: unknown = ownMember(content, 'alt_aliases') ?? [];
  if (!Array.isArray(others)) throw new MatrixError('M_INVALID_PARAM', 'alt_aliases: a list of aliases is allowed');
  return aliasesOf(content);
}

function aliasesOf(content: JsonObject): readonly unknown[] {
  const alias = ownMember(content, 'alias');
  const others: unknown = ownMember(content, 'alt_aliases');
  const single = alias === undefined || alias === null || alias === '' ? [] : [alias];
  const list: readonly unknown[] = Array.isArray(others) ? others : [];
  return [...single, ...list];
}
