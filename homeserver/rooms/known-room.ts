import { MatrixError } from '../errors.ts';
import { UnknownRoom } from '../pipeline/unknown-room.ts';
import { parseRoomId, type RoomId } from '../room/identifiers.ts';

const NOT_INSIDE = 'You are not in this room.';

/** The id from a request's path; what is none is a room that the caller is not in. Errors: M_FORBIDDEN. */
export function roomIdOf(text: string): RoomId {
  const roomId = parseRoomId(text);
  if (roomId === undefined) throw new MatrixError('M_FORBIDDEN', NOT_INSIDE);
  return roomId;
}

/** Answers for a room that we do not know as for one that the caller is not in: whether a room exists is nobody's business. */
export async function hideUnknownRoom<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UnknownRoom)) throw error;
    throw new MatrixError('M_FORBIDDEN', NOT_INSIDE, { cause: error });
  }
}
