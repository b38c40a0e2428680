/** Whole seconds, as Kubernetes writes times. */
export function rfc3339(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}
