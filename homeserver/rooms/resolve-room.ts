import { MatrixError } from '../errors.ts';
import { parseRoomAlias, parseRoomId, serverNameOf, type RoomId } from '../room/identifiers.ts';
import { selectRoomIdOfAlias } from '../storage/tables/aliases.ts';
import type { RoomsContext } from './context.ts';

/** The room that an id or alias stands for. Errors: M_INVALID_PARAM, M_NOT_FOUND (no such alias, or one of another server). */
export async function resolveRoom(ctx: RoomsContext, idOrAlias: string): Promise<RoomId> {
  const roomId = parseRoomId(idOrAlias);
  if (roomId !== undefined) return roomId;
  const alias = parseRoomAlias(idOrAlias);
  if (alias === undefined)
    throw new MatrixError('M_INVALID_PARAM', 'A room id (!...) or alias (#name:server) is allowed.');
  const local = serverNameOf(alias) === ctx.config.serverName;
  const found = local ? parseRoomId((await selectRoomIdOfAlias(ctx.store.db, alias)) ?? '') : undefined;
  if (found === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such room alias.');
  return found;
}
