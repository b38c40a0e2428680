import { tryAgainLater } from '../errors.ts';
import { selectOwnData } from '../storage/room-reads/select-own-data.ts';
import type { Store } from '../storage/store.ts';
import type { StreamWrite } from '../storage/write-batch.ts';
import type { OwnDataKey, StreamWriter } from './stream-writer.ts';

/** Each refusal means that another replica has changed the same data in between. */
const MAX_TRIES = 20;

/** Reads own data, changes it, and writes it if it is still what was read. */
export class OwnDataChanges {
  readonly #store: Store;
  readonly #write: StreamWriter['writeStreams'];
  /** What a user changes at this replica goes one by one: only other replicas are left to collide with. */
  readonly #last = new Map<number, Promise<void>>();

  constructor(store: Store, write: StreamWriter['writeStreams']) {
    this.#store = store;
    this.#write = write;
  }

  /** See StreamWriter. */
  async change(key: OwnDataKey, change: (text: string | undefined) => string | undefined): Promise<void> {
    const before = this.#last.get(key.userNo);
    const mine = (async () => {
      await before?.catch(() => undefined);
      await this.#changeNow(key, change);
    })();
    this.#last.set(key.userNo, mine);
    try {
      await mine;
    } finally {
      if (this.#last.get(key.userNo) === mine) this.#last.delete(key.userNo);
    }
  }

  async #changeNow(key: OwnDataKey, change: (text: string | undefined) => string | undefined): Promise<void> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const found = await selectOwnData(this.#store.db, key);
      const text = change(found?.text);
      if (text === undefined) return;
      const { refused } = await this.#write([writeOf(key, text, found?.position ?? 0)]);
      if (!refused) return;
    }
    throw tryAgainLater('This keeps being changed elsewhere: try again later.');
  }
}

function writeOf(key: OwnDataKey, text: string, expected: number): StreamWrite {
  return key.kind === 'push_rules' ? { ...key, rules: text, expected } : { ...key, content: text, expected };
}
