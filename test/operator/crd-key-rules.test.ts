import { afterAll, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { KubeError } from '../../operator/runtime/kube-error.ts';
import type { Manifest } from '../../operator/runtime/kube-object.ts';
import type { Stage } from './support/stage.ts';
import { homeserverManifest, openStage } from './support/stage.ts';

let stage: Stage;
let namespace: string;
beforeAll(async () => {
  stage = await openStage();
  namespace = await stage.namespace();
});
afterAll(() => stage.dispose());

type Key = Record<string, unknown>;

interface Case {
  name: string;
  keys: Key[];
  /** Words of the refusal; absent: accepted. */
  refused?: string;
  /** The keys before the change; absent: the resource is new. */
  before?: Key[];
}

const at = '2026-11-01T00:00:00Z';
const k1 = { name: 'k1', state: 'Active' };
const retired = { name: 'k1', state: 'Retired' };
const revoked = { name: 'k1', state: 'Revoked', compromisedAt: at };
const next = { name: 'k9', state: 'Active' };
const secretRef = { name: 'synapse', key: 'signing.key' };
const earlier = { publicKey: 'A'.repeat(43), keyID: 'ed25519:a_AbCd', expiredTS: 1_700_000_000_000 };
const FORWARD = 'moves forward only';
const key = (state: string, more: Key = {}): Key => ({
  name: 'k2',
  state,
  ...(state === 'Revoked' ? { compromisedAt: at } : {}),
  ...more,
});

/** Every pair of states, and whether a key may go from the first to the second. */
const STATES = ['Staged', 'Published', 'Active', 'Retired', 'Revoked'];
const ALLOWED: Record<string, string[]> = {
  Staged: ['Published', 'Active'],
  Published: ['Active', 'Retired', 'Revoked'],
  Active: ['Retired', 'Revoked'],
  Retired: ['Revoked'],
  Revoked: [],
};
const MOVES = STATES.flatMap((from) =>
  STATES.map((to): Case => {
    const others = (state: string) => (state === 'Active' ? [] : [k1]);
    // The key that signs before and the one that signs after must both be there.
    const before = from === 'Active' ? [{ name: 'k1', state: 'Published' }, key(from)] : [k1, key(from)];
    const keys = to === 'Active' && from !== 'Active' ? [retired, key(to)] : [...others(to), key(to)];
    const after = from === 'Active' && to === 'Active' ? before : keys;
    const isAllowed = from === to || ALLOWED[from]?.includes(to) === true;
    const name = `a key ${isAllowed ? 'may stay or go' : 'may not go'} from ${from} to ${to}`;
    return { name, before, keys: after, ...(isAllowed ? {} : { refused: FORWARD }) };
  }),
);

const CASES: Case[] = [
  { name: 'one Active key is accepted', keys: [k1] },
  { name: 'no key is refused', keys: [], refused: 'exactly one key must be Active' },
  { name: 'two Active keys are refused', keys: [k1, next], refused: 'exactly one key must be Active' },
  { name: 'a state that does not exist is refused', keys: [k1, key('Lost')], refused: 'Unsupported value' },
  { name: 'Retiring cannot be asked for', keys: [k1, key('Retiring')], refused: 'Unsupported value' },
  { name: 'a name with a dash is refused', keys: [{ name: 'k-1', state: 'Active' }], refused: 'keys[0].name' },
  { name: 'one name twice is refused', keys: [k1, { name: 'k1', state: 'Staged' }], refused: 'Duplicate value' },
  { name: 'a rotation in one change is accepted', before: [k1], keys: [retired, next] },
  { name: 'a revocation with its successor is accepted', before: [k1], keys: [revoked, next] },
  { name: 'a revocation without a successor is refused', before: [k1], keys: [revoked], refused: 'exactly one key' },
  { name: 'a Staged key can be removed', before: [k1, key('Staged')], keys: [k1] },
  {
    name: 'a Published key cannot be removed',
    before: [k1, key('Published')],
    keys: [k1],
    refused: 'only a Staged key',
  },
  { name: 'a Retired key cannot be removed', before: [retired, next], keys: [next], refused: 'only a Staged key' },
  { name: 'a renamed key is refused', before: [k1], keys: [next], refused: 'only a Staged key' },
  {
    name: 'Revoked without compromisedAt is refused',
    keys: [next, { name: 'k2', state: 'Revoked', ...earlier }],
    refused: 'compromisedAt is needed',
  },
  {
    name: 'compromisedAt with another state is refused',
    keys: [{ ...k1, compromisedAt: at }],
    refused: 'compromisedAt is needed',
  },
  {
    name: 'compromisedAt that is no time is refused',
    keys: [next, key('Revoked', { compromisedAt: 'yesterday' })],
    refused: 'compromisedAt',
  },
  {
    name: 'compromisedAt may become earlier',
    before: [next, revoked],
    keys: [next, { ...revoked, compromisedAt: '2026-10-01T00:00:00Z' }],
  },
  {
    name: 'compromisedAt may not become later',
    before: [next, revoked],
    keys: [next, { ...revoked, compromisedAt: '2026-12-01T00:00:00Z' }],
    refused: 'only become earlier',
  },
  { name: 'a key may be brought', keys: [{ ...k1, secretRef }] },
  {
    name: 'secretRef may stay while the state goes on',
    before: [k1, key('Staged', { secretRef })],
    keys: [k1, key('Published', { secretRef })],
  },
  {
    name: 'another secretRef is refused',
    before: [{ ...k1, secretRef }],
    keys: [{ ...k1, secretRef: { ...secretRef, key: 'b' } }],
    refused: 'secretRef of a key cannot be changed',
  },
  {
    name: 'a secretRef that appears later is refused',
    before: [k1],
    keys: [{ ...k1, secretRef }],
    refused: 'secretRef of a key cannot be changed',
  },
  {
    name: 'a secretRef that disappears is refused',
    before: [{ ...k1, secretRef }],
    keys: [k1],
    refused: 'secretRef of a key cannot be changed',
  },
  { name: 'a retired key of an earlier server is accepted', keys: [k1, key('Retired', earlier)] },
  { name: 'a revoked key of an earlier server is accepted', keys: [k1, key('Revoked', earlier)] },
  {
    name: 'publicKey alone is refused',
    keys: [k1, key('Retired', { publicKey: earlier.publicKey })],
    refused: 'belong together',
  },
  {
    name: 'keyID without expiredTS is refused',
    keys: [k1, key('Retired', { publicKey: earlier.publicKey, keyID: earlier.keyID })],
    refused: 'belong together',
  },
  {
    name: 'a public half for a key that shall sign is refused',
    keys: [{ ...k1, ...earlier }],
    refused: 'of an earlier server',
  },
  {
    name: 'a public half beside a secretRef is refused',
    keys: [k1, key('Retired', { ...earlier, secretRef })],
    refused: 'of an earlier server',
  },
  {
    name: 'a key id that is none is refused',
    keys: [k1, key('Retired', { ...earlier, keyID: 'rsa:1' })],
    refused: 'keyID',
  },
  {
    name: 'a public key with padding is refused',
    keys: [k1, key('Retired', { ...earlier, publicKey: `${'A'.repeat(43)}=` })],
    refused: 'publicKey',
  },
  {
    name: 'a public half may be added where it was forgotten',
    before: [k1, key('Retired')],
    keys: [k1, key('Retired', earlier)],
  },
  {
    name: 'a changed public half is refused',
    before: [k1, key('Retired', earlier)],
    keys: [k1, key('Retired', { ...earlier, expiredTS: 5 })],
    refused: 'cannot be changed',
  },
  {
    name: 'a public half that is taken away is refused',
    before: [k1, key('Retired', earlier)],
    keys: [k1, key('Retired')],
    refused: 'cannot be changed',
  },
];

let counter = 0;

function manifest(keys: Key[]): Manifest {
  const base = homeserverManifest(stage, namespace, { signingKeys: { keys } });
  return { ...base, metadata: { ...base.metadata, name: `case-${counter}` } };
}

/** What the API server says: an empty text when it accepts. PUT, so that fields the new spec lacks are gone. */
async function submit({ before, keys }: Case): Promise<string> {
  counter += 1;
  const created = await stage.client.create(KINDS.homeserver, manifest(before ?? keys), 'user').catch(refusal);
  if (typeof created === 'string' || before === undefined) return typeof created === 'string' ? created : '';
  const changed = { ...created, ...{ spec: manifest(keys)['spec'] } };
  const replaced = await stage.client.replace(KINDS.homeserver, changed, 'user').catch(refusal);
  return typeof replaced === 'string' ? replaced : '';
}

function refusal(error: unknown): string {
  if (error instanceof KubeError && error.status === 422) return error.message;
  throw error;
}

test.for([...CASES, ...MOVES])('$name', async (one) => {
  const answer = await submit(one);
  if (one.refused === undefined) expect(answer).toBe('');
  else expect(answer).toContain(one.refused);
});
