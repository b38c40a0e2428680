import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { canonicalJson } from '../room/canonical-json.ts';
import { cutForm } from '../room/cut-form.ts';
import { isJsonObject } from '../room/json-value.ts';
import { ROOM_VERSIONS } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import type { Store } from '../storage/store.ts';
import {
  selectDueForCutting,
  selectRedactionPage,
  updateCutEvents,
  type DueRow,
} from '../storage/tables/redactions.ts';
import { type HeldLease, startLeasedJob } from './lease.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Redactions that are looked at in one statement, some 2 ms when all of them are applied. */
const PAGE = 1000;
/** A run ends after so many pages; the next one goes on. */
const MAX_PAGES = 20;
/** Events that one transaction cuts, at most 64 KB each. */
const CHUNK = 100;

export interface CutParts {
  readonly store: Pick<Store, 'db'>;
  readonly metrics: Pick<Metrics, 'redactedEventsCut'>;
  readonly config: { readonly rooms: Pick<HomeserverConfig['rooms'], 'redactedContentDays'> };
  /** Redactions of one look. */
  readonly page?: number;
}

/** Takes the content of redacted events out of the database, on one replica at a time. Gives back its own end. */
export function startCuttingRedacted(parts: CutParts & { store: Store; log: Logger }): () => Promise<void> {
  const cutter = new RedactedCutter(parts);
  const job = {
    name: 'redacted content',
    everyMs: MINUTE_MS,
    leaseMs: 10 * MINUTE_MS,
    run: (lease: HeldLease) => cutter.run(lease),
  };
  return startLeasedJob(parts.store, job, parts.log.child({ component: 'redacted-content' }));
}

/**
 * Walks through the redactions by the ids of what they redact, again and again. Applied ones are walked over: an index of the others
 * would be written with every redaction, to save 2 ms a minute for each thousand.
 */
export class RedactedCutter {
  readonly #parts: CutParts;
  /** Id of the last event that was looked at. */
  #place = '';

  constructor(parts: CutParts) {
    this.#parts = parts;
  }

  /** One run: on from where the last one ended, to the end or for so many pages. */
  async run(lease: HeldLease): Promise<void> {
    const limit = this.#parts.page ?? PAGE;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { last, count, open } = await selectRedactionPage(this.#parts.store.db, this.#place, limit);
      for (let at = 0; at < open.length; at += CHUNK) {
        if (lease.signal.aborted) return;
        const { redactedContentDays } = this.#parts.config.rooms;
        const chunk = open.slice(at, at + CHUNK);
        const cut = await lease.write((db) => cutChunk(db, chunk, redactedContentDays * DAY_MS));
        this.#parts.metrics.redactedEventsCut.inc(cut);
      }
      this.#place = count < limit ? '' : (last ?? '');
      if (this.#place === '' || lease.signal.aborted) return;
    }
  }
}

/** How many events it has cut. */
async function cutChunk(db: Queryable, eventIds: readonly string[], ageMs: number): Promise<number> {
  const due = await selectDueForCutting(db, eventIds, ageMs);
  const cut = due.flatMap((row) => {
    const json = cutJson(row);
    return json === undefined ? [] : [{ eventNo: row.event_no, json }];
  });
  return cut.length === 0 ? 0 : updateCutEvents(db, cut);
}

/** Undefined: a room of a version that this program does not know, or no event, which is for `verify` to tell. */
function cutJson({ json, version }: DueRow): string | undefined {
  const rules = ROOM_VERSIONS.get(String(version));
  const parsed = parseLooseJson(json);
  if (rules === undefined || !parsed.ok || !isJsonObject(parsed.value)) return undefined;
  return canonicalJson(cutForm(parsed.value, rules));
}
