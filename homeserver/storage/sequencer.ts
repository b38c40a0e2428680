import type { EventId } from '../room/identifiers.ts';
import type { Logger } from '../log.ts';
import { batchArrays } from './batch-arrays.ts';
import type { ConnectionSettings } from './connection.ts';
import type { Statement } from './database.ts';
import { databaseAway, FENCED_STATE, isAway, restartedAt, sqlState } from './database-errors.ts';
import { SingleConnection } from './single-connection.ts';
import type { BatchInput, BatchResult, BatchWriter } from './write-batch.ts';

/** A batch that has been written, as `commits` holds it. */
export interface WrittenCommit {
  previous: number;
  last: number;
  replica: number;
  serverStart: number;
  rooms: readonly number[];
  users: readonly number[];
}

export interface SequencerOptions {
  connection: ConnectionSettings;
  replicaNo: number;
  log: Logger;
  /** Called after a commit, before the caller of `write` goes on; must return at once. */
  onWritten(commit: WrittenCommit): void;
  /** Start of the database server that everything read so far came from, Unix microseconds. */
  serverStart(): number;
  /** Called when a batch was refused because the server was started again: what was read before is void. */
  onServerStart(start: number): void;
  /** Called when the database refuses everything that this replica writes. */
  onFenced(): void;
  /** Nothing is written before it resolves. */
  mayWrite: Promise<void>;
}

export interface Sequencer extends BatchWriter {
  /** No batch is under way, nor was one given up that the database may still write. */
  readonly isIdle: boolean;
  /** Waits for the batches under way and ends the connection. */
  close(): Promise<void>;
}

/** A request waits no longer for its batch. */
const GIVE_UP_MS = 20_000;

/** One call waits this long for its answer, then it is asked again on a new connection: the server may have moved. */
const ANSWER_TIMEOUT_MS = 8000;

/** Batches that wait behind the one in flight; the pipeline sends one at a time, so more is a fault or an outage. */
const MAX_WAITING = 64;

const MAX_EVENTS = 4096;

/** A call that was given up may be carried out this much later than the server's limit for a statement says, ms. */
const LATE_MS = 60_000;

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;

const WRITE = `select * from write_batch_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
  $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43,
  $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61)`;

interface WriteRow {
  first_position: number;
  last_position: number;
  previous: number;
  server_start: number;
  changed_rooms: number[];
  changed_users: number[];
  refused: number[];
  positions: number[];
  duplicate_at: number[];
  duplicate_id: EventId[];
}

/** Opens the writing connection of a replica. */
export function openSequencer(options: SequencerOptions): Sequencer {
  return new ConnectedSequencer(options);
}

class ConnectedSequencer implements Sequencer {
  readonly #options: SequencerOptions;
  readonly #connection: SingleConnection;
  #batch = 0;
  #waiting = 0;
  #last: Promise<unknown>;
  /** Monotonic ms until which a batch may be written that was given up. */
  #unknownUntil = 0;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#last = options.mayWrite;
    this.#connection = new SingleConnection(options.connection, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
  }

  get isIdle(): boolean {
    return this.#waiting === 0 && performance.now() >= this.#unknownUntil;
  }

  async write(input: BatchInput): Promise<BatchResult> {
    if (this.#waiting >= MAX_WAITING) throw databaseAway(new Error('too many batches wait'));
    const statement = this.#statement(input);
    const deadline = performance.now() + GIVE_UP_MS;
    this.#waiting += 1;
    const mine = this.#last.then(() => this.#writeOrRefuse(input, statement, deadline));
    this.#last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #writeOrRefuse(input: BatchInput, statement: Statement, deadline: number): Promise<BatchResult> {
    try {
      return batchResult(await this.#settle(statement, deadline), input);
    } catch (error) {
      const start = restartedAt(error);
      if (start === undefined) throw error;
      this.#options.log.warn('the database server was started again: building on what it has now');
      this.#options.onServerStart(start);
      return this.#refuseRooms(input, deadline);
    }
  }

  /** Rooms are to be built again on what the server has now; streams are built on nothing and are written. */
  async #refuseRooms({ rooms, streams }: BatchInput, deadline: number): Promise<BatchResult> {
    const input = { rooms: [], streams };
    const result = batchResult(await this.#settle(this.#statement(input), deadline), input);
    return { ...result, refusedRooms: new Set(rooms.map((room) => room.roomNo)) };
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#connection.close();
  }

  /** The number belongs to this batch for ever: whatever becomes of the first call, a later one gets its result. */
  #statement(input: BatchInput): Statement {
    const events = input.rooms.reduce((sum, room) => sum + room.events.length, 0);
    if (events + input.streams.length > MAX_EVENTS) throw new Error(`a batch of ${events} events is too large`);
    this.#batch += 1;
    const values = [this.#options.replicaNo, this.#batch, this.#options.serverStart(), ...batchArrays(input)];
    return { name: 'write_batch_1', text: WRITE, values };
  }

  async #settle(statement: Statement, deadline: number): Promise<WriteRow> {
    for (let attempt = 0; ; attempt += 1) {
      // Those that waited behind an outage have nothing left to wait for.
      if (performance.now() >= deadline) throw this.#givenUp(new Error('the time for this batch is over'), attempt);
      try {
        return this.#written(await this.#connection.query<WriteRow & Record<string, unknown>>(statement));
      } catch (error) {
        if (sqlState(error) === FENCED_STATE) this.#options.onFenced();
        if (sqlState(error) === FENCED_STATE) throw databaseAway(error);
        if (!isAway(error)) throw error;
        if (performance.now() >= deadline) throw this.#givenUp(error, attempt + 1);
        this.#options.log.warn({ err: error, count: attempt + 1 }, 'a batch is asked again');
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** What was sent and not answered may be written all the same. */
  #givenUp(cause: unknown, sent: number): Error {
    const { statementTimeoutMs } = this.#options.connection.database;
    if (sent > 0) this.#unknownUntil = performance.now() + statementTimeoutMs + LATE_MS;
    return databaseAway(cause);
  }

  #written(rows: WriteRow[]): WriteRow {
    const row = rows[0];
    if (row === undefined) throw new Error('the batch function answered nothing');
    if (row.last_position > row.previous) {
      this.#options.onWritten({
        previous: row.previous,
        last: row.last_position,
        replica: this.#options.replicaNo,
        serverStart: row.server_start,
        rooms: row.changed_rooms,
        users: row.changed_users,
      });
    }
    return row;
  }
}

function batchResult(row: WriteRow, input: BatchInput): BatchResult {
  const events = input.rooms.flatMap((room) => room.events);
  const positions = new Map<number, number>();
  events.forEach((event, i) => {
    const position = row.positions[i] ?? 0;
    if (position > 0) positions.set(event.eventNo, position);
  });
  const duplicates = new Map<number, EventId>();
  row.duplicate_at.forEach((at, i) => {
    const [event, eventId] = [events[at - 1], row.duplicate_id[i]];
    if (event !== undefined && eventId !== undefined) duplicates.set(event.eventNo, eventId);
  });
  return {
    firstPosition: row.first_position,
    lastPosition: row.last_position,
    refusedRooms: new Set(row.refused.filter((roomNo) => roomNo > 0)),
    refusedStreams: new Set(row.refused.filter((at) => at < 0).map((at) => -at - 1)),
    duplicates,
    positions,
  };
}
