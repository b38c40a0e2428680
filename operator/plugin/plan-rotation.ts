import type { Status } from '../api/status.ts';

/** An entry of `spec.signingKeys.keys`; what else is in it stays. */
export interface KeyEntry {
  readonly name: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

export type RotationWish =
  /** The next commit of Staged, Published, Active. */
  | { readonly kind: 'step' }
  /** The last commit at once: the operator walks there one state at a time. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'revoke'; readonly name: string; readonly compromisedAt: string };

export type Rotation =
  | { readonly kind: 'change'; readonly keys: readonly KeyEntry[]; readonly why: readonly string[] }
  /** Nothing may be changed now; `until` RFC 3339, if known. */
  | { readonly kind: 'wait'; readonly message: string; readonly until?: string | undefined }
  | { readonly kind: 'refused'; readonly message: string };

export interface RotationInput {
  readonly keys: readonly KeyEntry[];
  /** The keys as they are. */
  readonly found: NonNullable<Status['signingKeys']>;
  /** How long a key is published before it signs, in words. */
  readonly publishTime: string;
}

/** The API server takes no more. */
const MAX_KEYS = 16;

/** The keys to write into `spec` for what is wished, by the states that keys go through. */
export function planRotation(input: RotationInput, wish: RotationWish): Rotation {
  if (wish.kind === 'revoke') return planRevocation(input, wish);
  const waiting = underWay(input);
  if (waiting !== undefined) return waiting;
  return wish.kind === 'step' ? planStep(input) : planWhole(input);
}

/** The rotation before this one has to end first: only one key leaves at a time. */
function underWay({ keys, found }: RotationInput): Rotation | undefined {
  const leaving = found.find(({ state }) => state === 'Retiring');
  if (leaving !== undefined) {
    const message = `${leaving.name} (${leaving.keyID ?? ''}) is on its way out: wait until it is Retired`;
    return { kind: 'wait', message, until: leaving.nextTransitionTime };
  }
  const active = keys.find(({ state }) => state === 'Active');
  const coming = found.find(({ name }) => name === active?.name);
  if (active === undefined || coming?.state === 'Active') return undefined;
  const message = `${active.name} shall be Active and is ${coming?.state ?? 'not made'} yet: wait until it signs`;
  return { kind: 'wait', message, until: coming?.nextTransitionTime };
}

function planStep(input: RotationInput): Rotation {
  const { keys, publishTime } = input;
  if (has(keys, 'Published')) return planWhole(input);
  const staged = keys.find(({ state }) => state === 'Staged');
  if (staged !== undefined) {
    const why = [
      `${staged.name} is shown to other servers and does not sign yet.`,
      `It may sign ${publishTime} after every replica shows it; run the same command again to let it.`,
    ];
    return { kind: 'change', keys: withState(keys, staged.name, 'Published'), why };
  }
  return withNewKey(input, 'Staged', (name) => [
    `${name} is made and kept in a Secret of its own; nobody sees it yet. Back it up, then run the same command again.`,
  ]);
}

function planWhole(input: RotationInput): Rotation {
  const { keys, publishTime } = input;
  const active = keys.find(({ state }) => state === 'Active')?.name ?? '';
  const why = (name: string) => [
    `${name} signs once it has been published for ${publishTime}; then ${active} expires, and its private half is destroyed later.`,
  ];
  const retired = withState(keys, active, 'Retired');
  const next = successor(keys);
  if (next === undefined) return withNewKey({ ...input, keys: retired }, 'Active', why);
  return { kind: 'change', keys: withState(retired, next.name, 'Active'), why: why(next.name) };
}

function planRevocation(input: RotationInput, wish: RotationWish & { kind: 'revoke' }): Rotation {
  const { keys } = input;
  const lost = keys.find(({ name }) => name === wish.name);
  if (lost === undefined)
    return refused(`signingKeys.keys has no key ${wish.name}: ${keys.map(({ name }) => name).join(', ')}`);
  if (lost.state === 'Staged') {
    return refused(
      `${lost.name} is Staged, nobody has ever seen it: take it out of signingKeys.keys, and no more is needed`,
    );
  }
  if (lost.state === 'Revoked') return refused(`${lost.name} is Revoked already`);
  const revoked = keys.map((key) =>
    key.name === lost.name ? { ...key, state: 'Revoked', compromisedAt: wish.compromisedAt } : key,
  );
  const said = `Nothing that ${lost.name} signed after ${wish.compromisedAt} counts; its private half is destroyed at once.`;
  if (lost.state !== 'Active') return { kind: 'change', keys: revoked, why: [said] };
  const next = successor(keys);
  const why = (name: string) => [said, `${name} signs as soon as the replicas have it.`];
  if (next === undefined) return withNewKey({ ...input, keys: revoked }, 'Active', why);
  return { kind: 'change', keys: withState(revoked, next.name, 'Active'), why: why(next.name) };
}

function has(keys: readonly KeyEntry[], wanted: string): boolean {
  return keys.some(({ state }) => state === wanted);
}

/** The key that is nearest to signing. */
function successor(keys: readonly KeyEntry[]): KeyEntry | undefined {
  return keys.find(({ state }) => state === 'Published') ?? keys.find(({ state }) => state === 'Staged');
}

function withState(keys: readonly KeyEntry[], name: string, state: string): KeyEntry[] {
  return keys.map((key) => (key.name === name ? { ...key, state } : key));
}

function withNewKey({ keys, found }: RotationInput, state: string, why: (name: string) => readonly string[]): Rotation {
  if (keys.length >= MAX_KEYS) {
    return refused(
      `signingKeys.keys has ${keys.length} keys, and no more than ${MAX_KEYS} are allowed; a key that was published stays`,
    );
  }
  const name = newName(new Set([...keys, ...found].map((key) => key.name)));
  return { kind: 'change', keys: [...keys, { name, state }], why: why(name) };
}

/** k2 after k1; never a name that was in use, since a name is never made twice. */
function newName(taken: ReadonlySet<string>): string {
  const numbers = [...taken].map((name) => Number(/^k([0-9]{1,9})$/.exec(name)?.[1] ?? 0));
  return `k${Math.max(0, ...numbers) + 1}`;
}

function refused(message: string): Rotation {
  return { kind: 'refused', message };
}
