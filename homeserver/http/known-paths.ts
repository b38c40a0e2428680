/** Finds whether a path is served with another method, for the choice between 404 and 405. */
export class KnownPaths {
  /** Number of segments -> the paths with that many; a parameter is undefined. */
  readonly #paths = new Map<number, (string | undefined)[][]>();

  add(path: string): void {
    const segments = path.split('/').map((segment) => (segment.startsWith(':') ? undefined : segment));
    const sameLength = this.#paths.get(segments.length);
    if (sameLength === undefined) this.#paths.set(segments.length, [segments]);
    else sameLength.push(segments);
  }

  /** Whether `url` (its query is ignored) has a path that was added. */
  has(url: string): boolean {
    const segments = (url.split('?', 1)[0] ?? url).split('/');
    const candidates = this.#paths.get(segments.length) ?? [];
    return candidates.some((path) => path.every((wanted, i) => wanted === undefined || wanted === segments[i]));
  }
}
