export interface WaitOptions {
  /** What is waited for, as it should read in the failure: "the pod to be Ready". */
  what: string;
  /** [90,000] Longest wait, in ms: what never comes ends the test, what comes late on a slow machine does not. */
  timeoutMs?: number;
  /** Pause between two looks, in ms. */
  everyMs?: number;
}

/**
 * Looks again and again until `check` gives something other than undefined, null or false, and returns that.
 * A check that throws counts as "not yet"; its last error becomes the cause when time runs out.
 */
export async function waitFor<T>(
  check: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | null | undefined>> {
  const { what, timeoutMs = 90_000, everyMs = 50 } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const found = await check();
      if (isFound(found)) return found;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

function isFound<T>(value: T): value is Exclude<T, false | null | undefined> {
  return value !== undefined && value !== null && value !== false;
}
