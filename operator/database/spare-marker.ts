/** What a spare database is for; kept as its comment. */
export interface SpareMarker {
  readonly claim: string;
  /** Uid of the Job that it was made for. */
  readonly drill: string;
}

const MARKER = /^matrix-operator\/1 drill=([0-9a-f-]{36}) claim=([0-9a-f-]{36})$/;

export function formatSpareMarker({ claim, drill }: SpareMarker): string {
  return `matrix-operator/1 drill=${drill} claim=${claim}`;
}

/** undefined for no comment and for one that is not such a marker. */
export function parseSpareMarker(comment: string): SpareMarker | undefined {
  const [, drill, claim] = MARKER.exec(comment) ?? [];
  return drill === undefined || claim === undefined ? undefined : { claim, drill };
}

/** Name of the spare database of the database `name`, which has at most 61 bytes. */
export function spareName(name: string): string {
  return `${name}_d`;
}
