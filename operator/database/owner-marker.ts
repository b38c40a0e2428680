/** Who owns a role or a database of ours; kept as its comment, which everybody on the server can read. */
export interface OwnerMarker {
  readonly claim: string;
  /** Matrix server name; absent in a marker that was cut. */
  readonly serverName: string | undefined;
}

const MARKER = /^matrix-operator\/1 claim=([0-9a-f-]{36})(?: server=(\S{1,230}))?$/;

/** `matrix-operator/1 claim=<uuid> server=<name>`. */
export function formatMarker({ claim, serverName }: { claim: string; serverName: string }): string {
  return `matrix-operator/1 claim=${claim} server=${serverName}`;
}

/** undefined for no comment and for one that is not a marker. */
export function parseMarker(comment: string | null | undefined): OwnerMarker | undefined {
  const [, claim, serverName] = MARKER.exec(comment ?? '') ?? [];
  return claim === undefined ? undefined : { claim, serverName };
}
