import type { FoundKeys, KeyAction, KeyPlan, KeyWait, Refusal, WantedKeys } from './key-facts.ts';
import { keyWaits } from './key-times.ts';
import { planKeyBytes } from './plan-key-bytes.ts';
import { planKeyEnds } from './plan-key-ends.ts';
import { planKeyMoves } from './plan-key-moves.ts';
import { planKeyring } from './plan-keyring.ts';

/**
 * The next step, in the order that makes a kill harmless: private half in its Secret, then ledger, then keyring; on the
 * way out keyring, then the replicas' word, then ledger, then keyring. One key that is in trouble stops no other.
 * `divisor` shortens the waits T1 and T4.
 */
export function planKeys(wanted: WantedKeys, found: FoundKeys, divisor = 1): KeyPlan {
  const troubles = new Map<string, Refusal>();
  for (const name of namesOf(wanted, found)) {
    const step = planKeyBytes(
      name,
      wanted.keys.find((key) => key.name === name),
      found,
    );
    if (step.problem !== undefined) troubles.set(name, step.problem);
    if (step.action === undefined || (isNewKey(step.action) && hasForgotten(wanted, found))) continue;
    return { action: step.action, waits: [], isUsable: false };
  }
  const waits = keyWaits(wanted.validitySeconds, divisor);
  const moves = planKeyMoves({ keys: wanted.keys, found, waits, troubled: new Set(troubles.keys()) });
  if (moves.action !== undefined) return { action: moves.action, waits: [], isUsable: false };
  const problem = troubles.values().next().value ?? moves.problem;
  return planRest(wanted, found, { problem, waits: moves.waits, keyWaits: waits });
}

function isNewKey({ kind }: KeyAction): boolean {
  return kind === 'mint' || kind === 'import';
}

/** A key in use that the spec does not name: this spec was not written for this ledger, so nothing new is made for it. */
function hasForgotten({ keys }: WantedKeys, { rows }: FoundKeys): boolean {
  return rows.some(
    ({ name, state }) => (state === 'Published' || state === 'Active') && !keys.some((key) => key.name === name),
  );
}

interface SoFar {
  readonly problem: Refusal | undefined;
  readonly waits: readonly KeyWait[];
  readonly keyWaits: ReturnType<typeof keyWaits>;
}

function planRest(wanted: WantedKeys, found: FoundKeys, soFar: SoFar): KeyPlan {
  const ring = planKeyring(wanted, found);
  if (ring.action !== undefined) return { action: ring.action, waits: [], isUsable: false };
  if (ring.problem !== undefined)
    return { problem: soFar.problem ?? ring.problem, waits: soFar.waits, isUsable: false };
  if (ring.wait !== undefined) return { problem: soFar.problem, waits: [ring.wait, ...soFar.waits], isUsable: true };
  const ends = planKeyEnds(found.decided?.generation ?? 0, found, soFar.keyWaits);
  if (ends.action !== undefined) return { action: ends.action, waits: [], isUsable: true };
  return {
    problem: soFar.problem ?? ends.problem,
    waits: [...soFar.waits, ...ends.waits],
    isUsable: true,
    isStuck: ends.isStuck ?? false,
  };
}

/** The spec's order, so that the first of its keys is made first, then what only the ledger knows. */
function namesOf({ keys }: WantedKeys, { rows }: FoundKeys): string[] {
  return [...new Set([...keys.map(({ name }) => name), ...rows.map(({ name }) => name)])];
}
