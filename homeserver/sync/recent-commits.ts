import type { CacheFigures } from '../metrics.ts';
import type { Commit } from '../storage/write-batch.ts';

/** Whom a commit has to concern. */
export interface Interest {
  readonly userNo: number;
  /** Rooms that the user is joined to. */
  readonly rooms: ReadonlySet<number>;
}

/** About seven seconds at 300 batches/s, the most that a disk with 2 ms flushes allows; 2048 commits are looked through in 20 µs. */
const MAX_COMMITS = 2048;
const MAX_BYTES = 16_000_000;

/** The newest commits, to tell whether anything of interest has happened after a position without asking the database. */
export class RecentCommits {
  #commits: Commit[] = [];
  /** Every commit after this position is here. */
  #floor: number;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(seen: number) {
    this.#floor = seen;
  }

  figures(): CacheFigures {
    return { entries: this.#commits.length, bytes: this.#bytes, hits: this.#hits, misses: this.#misses };
  }

  add(commit: Commit): void {
    this.#commits.push(commit);
    this.#bytes += bytesOf(commit);
    if (this.#commits.length < 2 * MAX_COMMITS && this.#bytes < MAX_BYTES) return;
    const dropped = this.#commits.splice(0, Math.ceil(this.#commits.length / 2));
    for (const old of dropped) this.#bytes -= bytesOf(old);
    this.#floor = dropped.at(-1)?.last ?? this.#floor;
  }

  reset(seen: number): void {
    this.#commits = [];
    this.#bytes = 0;
    this.#floor = seen;
  }

  /** False only when it is certain that nothing of interest was committed after `position`. */
  mayConcern(interest: Interest, position: number): boolean {
    if (position < this.#floor) {
      this.#misses += 1;
      return true;
    }
    this.#hits += 1;
    for (let i = this.#commits.length - 1; i >= 0; i -= 1) {
      const commit = this.#commits[i];
      if (commit === undefined || commit.last <= position) return false;
      if (concerns(commit, interest)) return true;
    }
    return false;
  }

  /**
   * Rooms of somebody that commits after a position and up to another have touched, each with the last of these commits. Undefined: one
   * of them names the user, or not all of them are known.
   */
  roomsTouched({ userNo, rooms }: Interest, { after, upTo }: Span): ReadonlyMap<number, number> | undefined {
    if (after < this.#floor) return undefined;
    const touched = new Map<number, number>();
    for (const { last, rooms: named, users } of this.#newestFirst(after)) {
      if (last > upTo) continue;
      if (named === undefined || users === undefined || users.includes(userNo)) return undefined;
      for (const room of named) if (rooms.has(room) && !touched.has(room)) touched.set(room, last);
    }
    return touched;
  }

  *#newestFirst(after: number): Generator<Commit> {
    for (let i = this.#commits.length - 1; i >= 0; i -= 1) {
      const commit = this.#commits[i];
      if (commit === undefined || commit.last <= after) return;
      yield commit;
    }
  }
}

/** Positions after `after`, up to and including `upTo`. */
export interface Span {
  readonly after: number;
  readonly upTo: number;
}

function bytesOf({ rooms, users }: Commit): number {
  return 200 + 8 * ((rooms?.length ?? 0) + (users?.length ?? 0));
}

/** Whether a commit touches the user or one of the rooms; one that does not say touches everybody. */
export function concerns(commit: Commit, interest: Interest): boolean {
  if (commit.users === undefined || commit.rooms === undefined) return true;
  return commit.users.includes(interest.userNo) || commit.rooms.some((room) => interest.rooms.has(room));
}
