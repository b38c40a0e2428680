import { expect, test } from 'vitest';
import { OperatorError } from '../errors.ts';
import { toFailure } from './pg-failure.ts';

const target = {
  host: 'db',
  port: 5432,
  database: 'd',
  username: 'u',
  credentials: 'Secret ns/s',
  tlsMode: 'VerifyFull',
};

const coded = (code: string, message = 'what it said') =>
  Object.assign(new Error(message), { code, detail: 'Key (password)=(hunter2)' });

test.for([
  { code: '28P01', reason: 'LoginRefused' },
  { code: '28000', reason: 'LoginRefused' },
  { code: '3D000', reason: 'DatabaseLost' },
  { code: '42501', reason: 'InsufficientPrivilege' },
  { code: '55P03', reason: 'LockHeld' },
  { code: '55006', reason: 'LockHeld' },
  { code: '55000', reason: 'DatabaseUnreachable' },
  { code: '25006', reason: 'DatabaseUnreachable' },
  { code: '08006', reason: 'DatabaseUnreachable' },
  { code: '53300', reason: 'DatabaseUnreachable' },
  { code: '57014', reason: 'DatabaseUnreachable' },
  { code: '57P03', reason: 'DatabaseUnreachable' },
  { code: '40001', reason: 'DatabaseUnreachable' },
  { code: '40P01', reason: 'DatabaseUnreachable' },
  { code: 'ECONNREFUSED', reason: 'DatabaseUnreachable' },
  { code: 'ENOTFOUND', reason: 'DatabaseUnreachable' },
  { code: 'CERT_HAS_EXPIRED', reason: 'TLSInvalid' },
  { code: 'SELF_SIGNED_CERT_IN_CHAIN', reason: 'TLSInvalid' },
  { code: 'ERR_TLS_CERT_ALTNAME_INVALID', reason: 'TLSInvalid' },
])('$code is $reason, without the details of the server', ({ code, reason }) => {
  const failure = toFailure(coded(code), target);
  expect(failure).toBeInstanceOf(OperatorError);
  expect(failure).toMatchObject({ reason });
  expect(failure.message).toContain('db:5432');
  expect(failure.message).not.toContain('hunter2');
});

test('a server without TLS is TLSInvalid', () => {
  const failure = toFailure(new Error('The server does not support SSL connections'), target);
  expect(failure).toMatchObject({ reason: 'TLSInvalid' });
});

test('a login that tenants must not learn is in no message', () => {
  const shared = { ...target, username: 'platform', credentials: 'the entry of "x"', userIsSecret: true };
  for (const code of ['28P01', '42501', '53300', '3D000', '42601']) {
    const said = 'password authentication failed for user "platform"';
    expect(toFailure(coded(code, said), shared).message).not.toContain('platform');
  }
});

test('a defect of ours stays a defect: no reason, no cause with values', () => {
  const failure = toFailure(coded('42601', 'syntax error'), target);
  expect(failure).not.toBeInstanceOf(OperatorError);
  expect([failure.message, failure.cause]).toEqual([
    'PostgreSQL at db:5432, database d: syntax error (SQLSTATE 42601)',
    undefined,
  ]);
});
