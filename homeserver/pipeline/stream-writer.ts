import type { StreamWrite } from '../storage/write-batch.ts';

/** What became of writes that are not events. */
export interface WrittenStreams {
  /** Position from which a sync shows the changes. */
  readonly position: number;
  /** A conditional write among them was not written: its row has changed since it was read. */
  readonly refused: boolean;
}

/** Own data that is changed by what is there: a key of the account data (room number 0: global), or the push rules. */
export type OwnDataKey =
  | { readonly kind: 'account_data'; readonly userNo: number; readonly roomNo: number; readonly type: string }
  | { readonly kind: 'push_rules'; readonly userNo: number };

/** Writes positioned changes that are not events (receipts, account data, push rules) through the same batches. */
export interface StreamWriter {
  /** Resolves after the commit. */
  writeStreams(writes: readonly StreamWrite[]): Promise<WrittenStreams>;
  /**
   * Changes own data so that no change made meanwhile is lost, whichever replica made it. `change` gets the JSON text that is there
   * and gives the new one, undefined to leave it; it may be called several times, and what it throws is thrown. Resolves after the
   * commit. Errors: M_UNKNOWN with 503 when it kept changing.
   */
  changeOwnData(key: OwnDataKey, change: (text: string | undefined) => string | undefined): Promise<void>;
}
