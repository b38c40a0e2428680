/** A place between two events of a room, in the order (anchor, position): everything at or below lies before it. */
export interface TimelinePoint {
  readonly anchor: number;
  readonly position: number;
}

/** What a `/sync` token says: everything up to `position` has been given. */
export interface SyncToken {
  readonly position: number;
  /**
   * Position of the initial sync that began this chain of syncs; only set when members are lazily loaded. Members told
   * before it may have been dropped by the client.
   */
  readonly began?: number;
  /** For each replica asked lately, newest first: its changes without a position up to this serial number have been given. */
  readonly marks?: readonly VolatileMark[];
  /** Unix ms by the database's clock: presence that had changed by then has been given. */
  readonly presence?: number;
}

/** How far a client has come with what one replica knows of typing and presence. */
export interface VolatileMark {
  readonly replica: number;
  readonly serial: number;
}

/** More replicas than a client meets between two changes of the set; a forgotten one tells its typing users once more. */
export const MAX_MARKS = 8;

/** Before everything, history included: anchors start at 1. */
export const START_OF_ROOM: TimelinePoint = { anchor: 0, position: 0 };

const SYNC_TOKEN =
  /^s(\d{1,16})(?:\.i(\d{1,16}))?(?:\.t(\d{1,10}-\d{1,16}(?:_\d{1,10}-\d{1,16}){0,7}))?(?:\.p(\d{1,16}))?$/;
const POINT_TOKEN = /^p(\d{1,16})(?:_(-?\d{1,16}))?$/;

export function formatSyncToken(token: SyncToken): string {
  const began = token.began === undefined ? '' : `.i${token.began}`;
  const marks = token.marks?.map((mark) => `${mark.replica}-${mark.serial}`) ?? [];
  const presence = token.presence === undefined ? '' : `.p${token.presence}`;
  return `s${token.position}${began}${marks.length === 0 ? '' : `.t${marks.join('_')}`}${presence}`;
}

/** Undefined for anything that this server did not give out. */
export function parseSyncToken(text: string): SyncToken | undefined {
  const match = SYNC_TOKEN.exec(text);
  const position = safeInteger(match?.[1]);
  if (match === null || position === undefined) return undefined;
  const began = safeInteger(match[2]);
  const marks = match[3]?.split('_').map(parseMark);
  const presence = safeInteger(match[4]);
  return {
    position,
    ...(began === undefined ? {} : { began }),
    ...(marks === undefined ? {} : { marks }),
    ...(presence === undefined ? {} : { presence }),
  };
}

function parseMark(text: string): VolatileMark {
  const [replica, serial] = text.split('-').map(safeInteger);
  return { replica: replica ?? 0, serial: serial ?? 0 };
}

/** The point right after everything up to `position` of the stream. */
export function pointAt(position: number): TimelinePoint {
  return { anchor: position, position };
}

/** The point right before an event; history that hangs on the event lies before it too. */
export function pointBefore(event: TimelinePoint): TimelinePoint {
  return { anchor: event.anchor, position: event.position - 1 };
}

export function formatPoint(point: TimelinePoint): string {
  return point.anchor === point.position ? `p${point.anchor}` : `p${point.anchor}_${point.position}`;
}

/** Reads `prev_batch`, `start` and `end` tokens, and those of `/sync`, which stand for the point they have reached. */
export function parsePoint(text: string): TimelinePoint | undefined {
  const sync = parseSyncToken(text);
  if (sync !== undefined) return pointAt(sync.position);
  const match = POINT_TOKEN.exec(text);
  const anchor = safeInteger(match?.[1]);
  if (match === null || anchor === undefined) return undefined;
  if (match[2] === undefined) return pointAt(anchor);
  const position = safeInteger(match[2]);
  return position === undefined ? undefined : { anchor, position };
}

/** Negative when `a` lies before `b`. */
export function comparePoints(a: TimelinePoint, b: TimelinePoint): number {
  return a.anchor === b.anchor ? a.position - b.position : a.anchor - b.anchor;
}

export function earlierPoint(a: TimelinePoint, b: TimelinePoint): TimelinePoint {
  return comparePoints(a, b) <= 0 ? a : b;
}

function safeInteger(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
