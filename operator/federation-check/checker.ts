import type { Finding } from './finding.ts';
import { isSameFinding } from './finding.ts';
import type { Subject } from './check.ts';

export interface CheckerOptions {
  /** One look; must end in bounded time, and at once when the signal aborts. */
  readonly look: (subject: Subject, signal: AbortSignal) => Promise<Finding>;
  /** Called when a finding differs from the one before. */
  readonly onChange: (key: string) => void;
  readonly onLook?: (finding: Finding) => void;
  readonly onError: (key: string, error: unknown) => void;
  readonly timing?: Partial<CheckerTiming>;
}

export interface CheckerTiming {
  /** Between two looks while all is well. */
  readonly everyMs: number;
  /** After a look that found something wrong; doubled up to `everyMs`. */
  readonly againMs: number;
  /** Before the first look at something new. */
  readonly soonMs: number;
}

/** Looks at server names in the background; a resource's run only asks what was found last and never waits. */
export interface FederationChecker {
  /** As `watch`, for somebody who asks later: until then what is found is no news. */
  prepare(key: string, subject: Subject): void;
  /**
   * Says what to look at for a key, and gives what was found last, undefined before the first look. A subject that differs
   * from the one before is looked at soon; the same one changes nothing.
   */
  watch(key: string, subject: Subject): Finding | undefined;
  /** What was found last for a key; undefined before the first look. */
  last(key: string): Finding | undefined;
  /** Looks no more. */
  forget(key: string): void;
  /** Ends all looking, what is under way included. */
  close(): Promise<void>;
}

const TIMING: CheckerTiming = { everyMs: 600_000, againMs: 30_000, soonMs: 1000 };
const JITTER = 0.2;
const MAX_LOOKS = 8;

interface Entry {
  subject: Subject;
  fingerprint: string;
  finding: Finding | undefined;
  /** Whether somebody has asked for the finding, and counts on being told of another one. */
  isAsked: boolean;
  /** Looks in a row that found something wrong. */
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

/** Makes a checker that looks at nothing yet. Its size is bounded by the number of keys, its looks are 8 at a time. */
export function createFederationChecker(options: CheckerOptions): FederationChecker {
  return new BackgroundChecker(options);
}

class BackgroundChecker implements FederationChecker {
  readonly #options: CheckerOptions;
  readonly #timing: CheckerTiming;
  readonly #entries = new Map<string, Entry>();
  /** Keys whose time has come, in order. */
  readonly #due = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  prepare(key: string, subject: Subject): void {
    this.#entryFor(key, subject);
  }

  watch(key: string, subject: Subject): Finding | undefined {
    return ask(this.#entryFor(key, subject));
  }

  last(key: string): Finding | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : ask(entry);
  }

  forget(key: string): void {
    clearTimeout(this.#entries.get(key)?.timer);
    this.#entries.delete(key);
    this.#due.delete(key);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    for (const key of [...this.#entries.keys()]) this.forget(key);
    await Promise.all(this.#running.values());
  }

  #entryFor(key: string, subject: Subject): Entry {
    const fingerprint = JSON.stringify(subject);
    const known = this.#entries.get(key);
    if (known?.fingerprint === fingerprint) return known;
    const { finding, isAsked = false } = known ?? {};
    const entry: Entry = { subject, fingerprint, finding, isAsked, failures: 0, timer: undefined };
    clearTimeout(known?.timer);
    this.#entries.set(key, entry);
    // Without a key of ours somebody waits for the finding before the first one is made.
    this.#schedule(key, entry, subject.keys.length === 0 ? 0 : this.#timing.soonMs);
    return entry;
  }

  #schedule(key: string, entry: Entry, ms: number): void {
    if (this.#closed.signal.aborted) return;
    const delay = ms * (1 - JITTER + 2 * JITTER * Math.random());
    entry.timer = setTimeout(() => {
      this.#due.add(key);
      this.#start();
    }, delay);
    // A check that is yet to come keeps no process alive.
    entry.timer.unref();
  }

  #start(): void {
    for (const key of this.#due) {
      if (this.#running.size >= MAX_LOOKS) return;
      // Still running for an earlier subject: it comes up again when that look ends.
      if (this.#running.has(key)) continue;
      this.#due.delete(key);
      const entry = this.#entries.get(key);
      if (entry !== undefined) this.#running.set(key, this.#look(key, entry));
    }
  }

  async #look(key: string, entry: Entry): Promise<void> {
    try {
      this.#take(key, entry, await this.#options.look(entry.subject, this.#closed.signal));
    } catch (error) {
      this.#options.onError(key, error);
      if (this.#entries.get(key) === entry) this.#schedule(key, entry, this.#timing.everyMs);
    } finally {
      this.#running.delete(key);
      this.#start();
    }
  }

  #take(key: string, entry: Entry, finding: Finding): void {
    this.#options.onLook?.(finding);
    // Forgotten, or something else is to be looked at by now.
    if (this.#entries.get(key) !== entry) return;
    const isGood = finding.kind === 'KeysMatch';
    entry.failures = isGood ? 0 : entry.failures + 1;
    const again = this.#timing.againMs * 2 ** Math.min(entry.failures - 1, 16);
    this.#schedule(key, entry, isGood ? this.#timing.everyMs : Math.min(again, this.#timing.everyMs));
    if (isFirstDoubt(entry, finding)) return;
    const isNews = entry.isAsked && !isSameFinding(entry.finding, finding);
    entry.finding = finding;
    if (isNews) this.#options.onChange(key);
  }
}

/** One lost packet is no news: what was good is doubted only after a second look. */
function isFirstDoubt(entry: Entry, finding: Finding): boolean {
  return entry.finding?.kind === 'KeysMatch' && entry.failures === 1 && finding.seen === undefined;
}

function ask(entry: Entry): Finding | undefined {
  entry.isAsked = true;
  return entry.finding;
}
