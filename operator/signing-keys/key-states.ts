/** States of a key in order: a key only moves forward. Retiring is a passing state between Active and Retired. */
export const KEY_STATES = ['Staged', 'Published', 'Active', 'Retiring', 'Retired', 'Revoked'] as const;

export type KeyState = (typeof KEY_STATES)[number];

/** What `spec` may ask for. */
export type KeyGoal = Exclude<KeyState, 'Retiring'>;

/** Place in the order, 0 for Staged; the ledger takes a state only if its rank is higher. */
export function rankOf(state: KeyState): number {
  return KEY_STATES.indexOf(state);
}

/** True for a key that signs no more and is published, if at all, with the time up to which its signatures count. */
export function isOver(state: KeyState): boolean {
  return state === 'Retired' || state === 'Revoked';
}

/** What a key is in the keyring: with its private half, as an old key, or not at all. */
export function keyringPlace(state: KeyState): 'published' | 'active' | 'retiring' | 'old' | 'absent' {
  switch (state) {
    case 'Staged':
      return 'absent';
    case 'Published':
      return 'published';
    case 'Active':
      return 'active';
    case 'Retiring':
      return 'retiring';
    case 'Retired':
    case 'Revoked':
      return 'old';
  }
}
