import type { UserId } from '../room/identifiers.ts';

/** Who does something to a room. */
export interface Actor {
  readonly userId: UserId;
  readonly userNo: number;
  readonly deviceNo: number;
}
