/** Longest timer of Node, about 24.8 days; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One timer a key; the earlier of two wins. */
export function createTimers(fire: (key: string) => void) {
  const timers = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  function clear(key: string): void {
    clearTimeout(timers.get(key)?.timer);
    timers.delete(key);
  }
  return {
    clear,
    set(key: string, afterMs: number): void {
      const delay = Math.min(Math.max(0, afterMs), MAX_TIMER_MS);
      const at = performance.now() + delay;
      const present = timers.get(key);
      if (present !== undefined && present.at <= at) return;
      clear(key);
      const timer = setTimeout(() => {
        timers.delete(key);
        fire(key);
      }, delay);
      timers.set(key, { at, timer });
    },
    clearAll(): void {
      for (const key of [...timers.keys()]) clear(key);
    },
  };
}
