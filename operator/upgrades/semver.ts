/** The form of a version: three numbers and an optional pre-release, as in 1.4.2 or 1.5.0-rc.1. */
export const SEMVER = /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$/;

/** Negative when `a` is older than `b`, 0 when they are equal. Both must fit SEMVER. Spec: semver.org, item 11. */
export function compareVersions(a: string, b: string): number {
  const [one, two] = [partsOf(a), partsOf(b)];
  for (const i of [0, 1, 2]) {
    const difference = (one.numbers[i] ?? 0) - (two.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return comparePreReleases(one.preRelease, two.preRelease);
}

/** Whether `a` is of a newer minor (or major) release than `b`. */
export function isNewerMinor(a: string, b: string): boolean {
  const [one, two] = [partsOf(a).numbers, partsOf(b).numbers];
  return ((one[0] ?? 0) - (two[0] ?? 0) || (one[1] ?? 0) - (two[1] ?? 0)) > 0;
}

function partsOf(version: string): { numbers: number[]; preRelease: string[] } {
  const [, major = '0', minor = '0', patch = '0', pre = ''] = SEMVER.exec(version) ?? [];
  return { numbers: [major, minor, patch].map(Number), preRelease: pre === '' ? [] : pre.slice(1).split('.') };
}

/** A pre-release is older than the release; numbers are older than words, and fewer parts than more. */
function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = compareParts(a[i], b[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareParts(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return Number(a) - Number(b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}
