/** One kind of thing that was looked at. */
export interface CheckResult {
  readonly name: string;
  /** How many were looked at; null where the database counts only what is wrong. */
  readonly checked: number | null;
  /** How many are wrong; counting ends at 1000. */
  readonly problems: number;
  /** The first few of them. */
  readonly examples: readonly string[];
  /** False: time ran out before all was looked at. */
  readonly complete: boolean;
}

export interface VerifyReport {
  /** Nothing is wrong in what was looked at, and nothing was left out. */
  readonly whole: boolean;
  readonly serverName: string;
  readonly schema: { readonly version: number; readonly compatVersion: number };
  readonly checks: readonly CheckResult[];
}

const MAX_EXAMPLES = 5;

/** Counts the faults of one check; memory is bounded whatever is found. */
export class Tally {
  readonly #name: string;
  readonly #examples: string[] = [];
  #problems = 0;
  checked = 0;

  constructor(name: string) {
    this.#name = name;
  }

  fault(example: string): void {
    this.#problems += 1;
    if (this.#examples.length < MAX_EXAMPLES) this.#examples.push(example);
  }

  result(complete: boolean): CheckResult {
    return {
      name: this.#name,
      checked: this.checked,
      problems: this.#problems,
      examples: this.#examples,
      complete,
    };
  }
}
