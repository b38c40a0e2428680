import { expect, test } from 'vitest';
import { perVersion, serverName, verdict, type AuthCase, type Told } from '../../../test/support/room-story.ts';
import { signingKeyFromSeed, signJson } from '../event-signature.ts';
import { ownObject, type JsonObject } from '../json-value.ts';

const key = signingKeyFromSeed('ed25519:0', new Uint8Array(32).fill(7));
const otherKey = signingKeyFromSeed('ed25519:0', new Uint8Array(32).fill(8));
const identityServer = serverName('id.example');

const proof = signJson({ mxid: '@stranger:two', token: 'abc' }, identityServer, key);

/** The standing invitation of an address, made by @alice. */
function invitation(content: JsonObject): Told {
  return { type: 'm.room.third_party_invite', sender: '@alice:one', stateKey: 'abc', content };
}

function redeem(thirdParty: JsonObject[string], sender = '@alice:one', target = '@stranger:two'): Told {
  const content = { membership: 'invite', third_party_invite: thirdParty };
  return { type: 'm.room.member', sender, stateKey: target, content };
}

const standing = [invitation({ public_key: key.publicKeyBase64 })];
const urlSafe = key.publicKeyBase64.replaceAll('+', '-').replaceAll('/', '_');

const many = (count: number, entry: JsonObject) => Array.from({ length: count }, () => entry);

/** Who made a proof is not looked at, what it is made with is. */
const signatures = (byKey: JsonObject[string]) => ({ ...proof, signatures: { 'id.example': byKey } });
const goodSignature = ownObject(ownObject(proof, 'signatures') ?? {}, 'id.example')?.['ed25519:0'] ?? '';
const unproven = [
  { name: 'a proof without signatures', signed: { mxid: '@stranger:two', token: 'abc' } },
  { name: 'a proof with signatures that are no object', signed: signatures(null) },
  { name: 'a proof with a signature that is a number', signed: signatures({ 'ed25519:0': 5 }) },
  { name: 'a proof with a signature of another algorithm', signed: signatures({ 'rsa:0': goodSignature }) },
  { name: 'a proof with a number that canonical JSON cannot carry', signed: { ...proof, age: 0.5 } },
];

const cases: AuthCase[] = [
  {
    name: 'a proof that another key of its server has signed, too',
    event: redeem({ signed: signatures({ 'ed25519:1': 'AAAA', 'rsa:0': 5, 'ed25519:0': goodSignature }) }),
    state: standing,
    says: 'allowed',
  },
  { name: 'a good proof', event: redeem({ signed: proof }), state: standing, says: 'allowed' },
  {
    name: 'a good proof by an inviter who left',
    event: redeem({ signed: proof }),
    state: [...standing, { type: 'm.room.member', stateKey: '@alice:one', content: { membership: 'leave' } }],
    says: 'allowed',
  },
  {
    name: 'a proof for the second of several keys, in the other Base64 alphabet',
    event: redeem({ signed: proof }),
    state: [
      invitation({
        public_key: 'AAAA',
        public_keys: [{ public_key: otherKey.publicKeyBase64 }, { public_key: urlSafe }],
      }),
    ],
    says: 'allowed',
  },
  {
    name: 'a proof by a key of someone else',
    event: redeem({ signed: proof }),
    state: [invitation({ public_key: otherKey.publicKeyBase64 })],
    says: 'invite.third_party_bad_signature',
  },
  {
    name: 'a proof for an invitation without keys',
    event: redeem({ signed: proof }),
    state: [invitation({})],
    says: 'invite.third_party_bad_signature',
  },
  {
    name: 'a proof that was changed',
    event: redeem({ signed: { ...proof, sender: '@mallory:two' } }),
    state: standing,
    says: 'invite.third_party_bad_signature',
  },
  {
    name: 'a proof for a banned user',
    event: redeem({ signed: proof }, '@alice:one', '@banned:two'),
    state: standing,
    says: 'invite.third_party_banned',
  },
  {
    name: 'no signed part',
    event: redeem({ display_name: 'x' }),
    state: standing,
    says: 'invite.third_party_unsigned',
  },
  {
    name: 'a third-party invite that is no object',
    event: redeem('x'),
    state: standing,
    says: 'invite.third_party_unsigned',
  },
  ...[null, { signed: null }, { signed: 'x' }].map((thirdParty) => ({
    name: `${JSON.stringify(thirdParty)} for a third-party invite`,
    event: redeem(thirdParty),
    state: standing,
    says: 'invite.third_party_unsigned',
  })),
  ...unproven.map(({ name, signed }) => ({
    name,
    event: redeem({ signed }),
    state: standing,
    says: 'invite.third_party_bad_signature',
  })),
  {
    name: 'a proof for an invitation with entries that are no keys',
    event: redeem({ signed: proof }),
    state: [invitation({ public_key: 5, public_keys: [null, 'x', {}, { public_key: key.publicKeyBase64 }] })],
    says: 'allowed',
  },
  ...(
    [
      [255, 'allowed'],
      [256, 'invite.third_party_bad_signature'],
    ] as const
  ).map(([others, says]) => ({
    name: `a proof behind ${others} keys of others`,
    event: redeem({ signed: proof }),
    state: [
      invitation({ public_keys: [...many(others, { public_key: 'AAAA' }), { public_key: key.publicKeyBase64 }] }),
    ],
    says,
  })),
  {
    name: 'no token',
    event: redeem({ signed: { mxid: '@stranger:two' } }),
    state: standing,
    says: 'invite.third_party_incomplete',
  },
  {
    name: 'a proof about another user',
    event: redeem({ signed: proof }, '@alice:one', '@left:two'),
    state: standing,
    says: 'invite.third_party_other_user',
  },
  {
    name: 'a token that the room does not know',
    event: redeem({ signed: proof }),
    says: 'invite.third_party_unknown_token',
  },
  {
    name: 'a proof sent by another than the inviter',
    event: redeem({ signed: proof }, '@mod:one'),
    state: standing,
    says: 'invite.third_party_other_sender',
  },
];

test.for(perVersion(cases))('$title: $says', (row) => {
  expect(verdict(row)).toBe(row.says);
});
