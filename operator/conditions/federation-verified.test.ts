import { expect, test } from 'vitest';
import { FEDERATION_FAILURES, type FederationFailure } from '../api/federation-status.ts';
import { federationVerified } from './federation-verified.ts';
import type { FederationReport } from './observed.ts';

const look = (federation: FederationReport) => {
  const { status, reason } = federationVerified({ federation });
  return `${status} ${reason}`;
};
const seen = (kind: FederationFailure | 'KeysMatch', more: object = {}) =>
  ({ state: 'seen', kind, vantage: 'Direct', delegatedTo: undefined, ...more }) as const;

test('keys that match are True, and the message says through whom they were seen', () => {
  expect(look(seen('KeysMatch'))).toBe('True KeysMatch');
  const through = seen('KeysMatch', { vantage: 'matrix.org' });
  expect(federationVerified({ federation: through }).message).toBe('seen through matrix.org');
});

test.for([
  ['NameNotFound', 'False Unreachable'],
  ['TLSInvalid', 'False Unreachable'],
  ['BadSignature', 'False KeyNotVisible'],
  ['ForeignKeys', 'False ForeignKeys'],
  ['WellKnownMismatch', 'False WellKnownMismatch'],
  ['PrivateAddress', 'Unknown PrivateAddress'],
] as const)('%s is %s', ([kind, wanted]) => {
  expect(look(seen(kind))).toBe(wanted);
});

test('every failure is told by its class', () => {
  const isFailure = (kind: string): kind is FederationFailure => kind in FEDERATION_FAILURES;
  for (const kind of Object.keys(FEDERATION_FAILURES).filter(isFailure))
    expect(federationVerified({ federation: seen(kind) }).message).toContain(`${kind}: `);
});

test('where nobody looks it is Unknown, and before the first look of a new process it stays', () => {
  expect(look({ state: 'off', message: 'off' })).toBe('Unknown NotChecked');
  expect(look({ state: 'pending' })).toBe('Unknown Pending');
  const condition = { type: 'FederationVerified', status: 'True', reason: 'KeysMatch', message: 'm' } as const;
  expect(federationVerified({ federation: { state: 'kept', condition } })).toBe(condition);
});
