/** `change`: somebody edited something; `resync`: nobody did. Changes go first. */
export type Lane = 'change' | 'resync';

/** Every eighth turn serves the resync lane first, so that a flood of changes cannot starve it. */
const FAIR_TURN = 8;

/** Two first-in first-out lines of keys with the time since when they wait. */
export function createLanes() {
  const lines: Record<Lane, Map<string, number>> = { change: new Map(), resync: new Map() };
  let turn = 0;
  return {
    size: () => lines.change.size + lines.resync.size,
    push(key: string, lane: Lane): void {
      const since = lines.change.get(key) ?? lines.resync.get(key) ?? performance.now();
      if (lines.change.has(key)) return;
      lines.resync.delete(key);
      lines[lane].set(key, since);
    },
    take(): { key: string; since: number } | undefined {
      turn = (turn + 1) % FAIR_TURN;
      const order: readonly Lane[] = turn === 0 ? ['resync', 'change'] : ['change', 'resync'];
      for (const lane of order) {
        const first = lines[lane].entries().next().value;
        if (first === undefined) continue;
        lines[lane].delete(first[0]);
        return { key: first[0], since: first[1] };
      }
      return undefined;
    },
  };
}
