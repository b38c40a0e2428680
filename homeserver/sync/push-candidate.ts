import type { RoomVersionRules } from '../room/room-versions.ts';

/** A room as push rules look at it. */
export interface PushRoom {
  readonly roomId: string;
  readonly rules: RoomVersionRules;
  readonly joined: number;
  /** The membership event of the rules' owner. */
  readonly ownMember: { readonly eventNo: number; readonly position: number };
}

/** What is known of an event without looking into it. */
export interface PushCandidate {
  readonly eventNo: number;
  /** Its place in the timeline. */
  readonly anchor: number;
  readonly room: PushRoom;
  readonly type: string;
  readonly sender: string;
  /** As in the column `events.flags`. */
  readonly flags: number;
}
