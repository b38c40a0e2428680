import type { BoundedCache } from '../bounded-cache.ts';

export interface NameTableParts<N> {
  readonly cache: BoundedCache<string, number>;
  /** What a name is cached under, and found by in `load`. */
  textOf(name: N): string;
  /** The numbers of those that are there, by their texts. */
  load(names: readonly N[]): Promise<ReadonlyMap<string, number>>;
  /** Inserts those that are missing. */
  insert(names: readonly N[]): Promise<void>;
}

/** A table that numbers names, with a cache. However many are asked for: no statement, one, or three where rows are missing. */
export class NameTable<N> {
  readonly #parts: NameTableParts<N>;

  constructor(parts: NameTableParts<N>) {
    this.#parts = parts;
  }

  /** The number as far as it is cached. */
  known(name: N): number | undefined {
    return this.#parts.cache.get(this.#parts.textOf(name));
  }

  /** The numbers by the texts of the names; those that the table does not have are missing. */
  find(names: readonly N[]): Promise<Map<string, number>> {
    return this.#numbers(names, (unknown) => this.#load(unknown));
  }

  /** The numbers by the texts of the names. */
  resolve(names: readonly N[]): Promise<Map<string, number>> {
    return this.#numbers(names, (unknown) => this.#loadOrInsert(unknown));
  }

  async one(name: N): Promise<number> {
    const text = this.#parts.textOf(name);
    return this.known(name) ?? present((await this.#loadOrInsert([name])).get(text), text);
  }

  clear(): void {
    this.#parts.cache.clear();
  }

  async #numbers(
    names: readonly N[],
    ask: (unknown: readonly N[]) => Promise<ReadonlyMap<string, number>>,
  ): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const unknown = new Map<string, N>();
    for (const name of names) {
      const text = this.#parts.textOf(name);
      if (found.has(text) || unknown.has(text)) continue;
      const no = this.#parts.cache.get(text);
      if (no === undefined) unknown.set(text, name);
      else found.set(text, no);
    }
    if (unknown.size > 0) for (const [text, no] of await ask([...unknown.values()])) found.set(text, no);
    return found;
  }

  /** Committed before anything refers to the numbers: a name row without a use does no harm, the reverse would. */
  async #loadOrInsert(names: readonly N[]): Promise<Map<string, number>> {
    const found = await this.#load(names);
    const missing = names.filter((name) => !found.has(this.#parts.textOf(name)));
    if (missing.length === 0) return found;
    await this.#parts.insert(missing);
    const inserted = await this.#load(missing);
    for (const name of missing) {
      const text = this.#parts.textOf(name);
      found.set(text, present(inserted.get(text), text));
    }
    return found;
  }

  async #load(names: readonly N[]): Promise<Map<string, number>> {
    const found = new Map(await this.#parts.load(names));
    for (const [text, no] of found) this.#parts.cache.set(text, no);
    return found;
  }
}

function present(no: number | undefined, name: string): number {
  if (no === undefined) throw new Error(`the name ${JSON.stringify(name)} was inserted but is not there`);
  return no;
}
