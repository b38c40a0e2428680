import type { WrittenCommit } from './sequencer.ts';

/** 8,000 bytes are refused by PostgreSQL. */
const MAX_PAYLOAD_BYTES = 7900;

/** What a notification says; rooms and users undefined: too many to name, ask the table. */
export interface CommitPayload {
  previous: number;
  last: number;
  replica: number;
  serverStart: number;
  rooms: readonly number[] | undefined;
  users: readonly number[] | undefined;
}

/** `previous,last,replica,server_start;r:1,2,3;u:4,5` in base 36, or `...;*` when that would be too long. */
export function encodeCommit(commit: WrittenCommit): string {
  const { previous, last, replica, serverStart, rooms, users } = commit;
  const head = encodeNumbers([previous, last, replica, serverStart]);
  const full = `${head};r:${encodeNumbers(rooms)};u:${encodeNumbers(users)}`;
  return full.length <= MAX_PAYLOAD_BYTES ? full : `${head};*`;
}

const FORM = /^([0-9a-z,]{7,80});(?:\*|r:([0-9a-z,]*);u:([0-9a-z,]*))$/;

/** Undefined for anything that `encodeCommit` does not write. */
export function decodeCommit(payload: string): CommitPayload | undefined {
  const [, head, rooms, users] = FORM.exec(payload) ?? [];
  const [previous, last, replica, serverStart] = decodeNumbers(head ?? '');
  if (previous === undefined || last === undefined || replica === undefined || serverStart === undefined)
    return undefined;
  const named = rooms !== undefined && users !== undefined;
  return {
    previous,
    last,
    replica,
    serverStart,
    rooms: named ? decodeNumbers(rooms) : undefined,
    users: named ? decodeNumbers(users) : undefined,
  };
}

function encodeNumbers(numbers: readonly number[]): string {
  return numbers.map((number) => number.toString(36)).join(',');
}

function decodeNumbers(text: string): number[] {
  return text === '' ? [] : text.split(',').map((part) => Number.parseInt(part, 36));
}
