/** Whether version `a` was written after version `b` of the same kind; false where versions are no numbers. */
export function isNewer(a: string, b: string): boolean {
  // Numbers of one sequence by the API's word (KEP 5504), and always so with etcd.
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) > BigInt(b);
}
