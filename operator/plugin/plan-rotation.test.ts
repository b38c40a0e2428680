import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KeyEntry, Rotation, RotationInput, RotationWish } from './plan-rotation.ts';
import { planRotation } from './plan-rotation.ts';

const publishTime = '12 h 5 min';
const step: RotationWish = { kind: 'step' };
const whole: RotationWish = { kind: 'whole' };
const revoke = (name: string): RotationWish => ({ kind: 'revoke', name, compromisedAt: '2026-11-01T00:00:00Z' });

/** `k1 Active, k2 Staged` as entries. */
function keysOf(text: string): KeyEntry[] {
  return text.split(', ').map((entry) => {
    const [name = '', state = ''] = entry.split(' ');
    return { name, state };
  });
}

function input(spec: string, found = spec): RotationInput {
  return { keys: keysOf(spec), found: keysOf(found), publishTime };
}

function said(rotation: Rotation): string {
  if (rotation.kind !== 'change') return `${rotation.kind}: ${rotation.message}`;
  return rotation.keys.map(({ name, state }) => `${name} ${state}`).join(', ');
}

const CASES = [
  { name: 'a new key is staged first', given: input('k1 Active'), wish: step, then: 'k1 Active, k2 Staged' },
  {
    name: 'a staged key is published',
    given: input('k1 Active, k2 Staged'),
    wish: step,
    then: 'k1 Active, k2 Published',
  },
  {
    name: 'a published key takes over',
    given: input('k1 Active, k2 Published'),
    wish: step,
    then: 'k1 Retired, k2 Active',
  },
  { name: 'the whole rotation is one change', given: input('k1 Active'), wish: whole, then: 'k1 Retired, k2 Active' },
  {
    name: 'a key that is published already is used for it',
    given: input('k1 Active, k2 Staged, k3 Published'),
    wish: whole,
    then: 'k1 Retired, k2 Staged, k3 Active',
  },
  {
    name: 'a name that the database knows is not used again',
    given: input('k1 Active', 'k1 Active, k7 Retired'),
    wish: step,
    then: 'k1 Active, k8 Staged',
  },
  {
    name: 'names of another form stay out of the count',
    given: input('main Active'),
    wish: step,
    then: 'main Active, k1 Staged',
  },
  {
    name: 'a key that still leaves is waited for',
    given: input('k1 Retired, k2 Active', 'k1 Retiring, k2 Active'),
    wish: step,
    then: 'wait: k1 () is on its way out: wait until it is Retired',
  },
  {
    name: 'a key that does not sign yet is waited for',
    given: input('k1 Retired, k2 Active', 'k1 Active, k2 Published'),
    wish: whole,
    then: 'wait: k2 shall be Active and is Published yet: wait until it signs',
  },
  {
    name: 'a stolen key that signs has a successor at once',
    given: input('k1 Active'),
    wish: revoke('k1'),
    then: 'k1 Revoked, k2 Active',
  },
  {
    name: 'the successor is the one that others know best',
    given: input('k1 Active, k2 Staged, k3 Published'),
    wish: revoke('k1'),
    then: 'k1 Revoked, k2 Staged, k3 Active',
  },
  {
    name: 'a stolen old key needs none',
    given: input('k1 Retired, k2 Active'),
    wish: revoke('k1'),
    then: 'k1 Revoked, k2 Active',
  },
  {
    name: 'a rotation that is under way does not hold up a revocation',
    given: input('k1 Retired, k2 Active', 'k1 Active, k2 Published'),
    wish: revoke('k1'),
    then: 'k1 Revoked, k2 Active',
  },
  {
    name: 'a staged key needs no revocation',
    given: input('k1 Active, k2 Staged'),
    wish: revoke('k2'),
    then: 'refused: k2 is Staged, nobody has ever seen it: take it out of signingKeys.keys, and no more is needed',
  },
  {
    name: 'no other key is revoked by a slip',
    given: input('k1 Active'),
    wish: revoke('k9'),
    then: 'refused: signingKeys.keys has no key k9: k1',
  },
  {
    name: 'nothing is revoked twice',
    given: input('k1 Revoked, k2 Active'),
    wish: revoke('k1'),
    then: 'refused: k1 is Revoked already',
  },
];

test.for(CASES)('$name', ({ given, wish, then }) => {
  expect(said(planRotation(given, wish))).toBe(then);
});

test('a seventeenth key is refused in words', () => {
  const old = Array.from({ length: 15 }, (_, i) => `k${i + 1} Retired`).join(', ');
  expect(said(planRotation(input(`${old}, k16 Active`), step))).toContain('no more than 16 are allowed');
});

test('what else an entry says stays in it', () => {
  const keys = [{ name: 'k1', state: 'Active', secretRef: { name: 'synapse', key: 'signing.key' } }];
  const rotation = planRotation({ keys, found: keysOf('k1 Active'), publishTime }, whole);
  expect(rotation).toMatchObject({
    keys: [
      { ...keys[0], state: 'Retired' },
      { name: 'k2', state: 'Active' },
    ],
  });
});

const ORDER = ['Staged', 'Published', 'Active', 'Retired', 'Revoked'];
const States = fc
  .array(fc.constantFrom('Staged', 'Published', 'Retired', 'Revoked'), { maxLength: 6 })
  .map((others) => ['Active', ...others].map((state, i) => ({ name: `k${i + 1}`, state })));

test('every change keeps all keys, has one that signs and moves no key back: the API server takes it', () => {
  const wishes = fc.constantFrom<RotationWish>(step, whole, revoke('k1'), revoke('k2'), revoke('k3'));
  fc.assert(
    fc.property(States, wishes, (keys, wish) => {
      const rotation = planRotation({ keys, found: keys, publishTime }, wish);
      if (rotation.kind !== 'change') return;
      expect(rotation.keys.filter(({ state }) => state === 'Active')).toHaveLength(1);
      for (const before of keys) {
        const after = rotation.keys.find(({ name }) => name === before.name);
        expect(ORDER.indexOf(after?.state ?? '')).toBeGreaterThanOrEqual(ORDER.indexOf(before.state));
        expect(after?.['compromisedAt'] !== undefined).toBe(after?.state === 'Revoked' && before.state !== 'Revoked');
        expect([before.state, after?.state]).not.toEqual(['Staged', 'Revoked']);
      }
    }),
  );
});
