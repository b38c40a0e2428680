import { expect, test } from 'vitest';
import { allowsNamespace, parseServerEntry } from './server-entry.ts';

const values = { host: 'pg.example.net', username: 'mhs', password: 'secret' };

test('an entry with host, username and password is enough', () => {
  expect(parseServerEntry(values)).toEqual({
    ok: true,
    entry: { ...values, port: 5432, maintenanceDatabase: 'postgres', tls: { mode: 'VerifyFull' } },
  });
});

test('every key of an entry is used', () => {
  const more = { port: '6432', maintenanceDatabase: 'defaultdb', tls: 'VerifyCA', 'ca.crt': 'PEM', namespaces: '*' };
  expect(parseServerEntry({ ...values, ...more })).toEqual({
    ok: true,
    entry: {
      ...values,
      port: 6432,
      maintenanceDatabase: 'defaultdb',
      tls: { mode: 'VerifyCA', caCertificate: 'PEM' },
    },
  });
});

test.for([
  { name: 'no password', wrong: { password: undefined }, message: 'password is missing' },
  { name: 'an empty host', wrong: { host: '' }, message: 'host is empty' },
  { name: 'a port beyond 65535', wrong: { port: '70000' }, message: 'port must be a number from 1 to 65535' },
  { name: 'a port in words', wrong: { port: 'postgres' }, message: 'port must be a number from 1 to 65535' },
  {
    name: 'an unknown TLS mode',
    wrong: { tls: 'prefer' },
    message: 'tls must be Disable, Require, VerifyCA or VerifyFull',
  },
  { name: 'VerifyCA without an authority', wrong: { tls: 'VerifyCA' }, message: 'ca.crt is needed for tls VerifyCA' },
])('$name is named, without its value', ({ wrong, message }) => {
  const given = Object.entries({ ...values, ...wrong }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  expect(parseServerEntry(Object.fromEntries(given))).toEqual({
    ok: false,
    message: expect.stringContaining(message) as string,
  });
});

test.for([
  { namespaces: undefined, allowed: false },
  { namespaces: '', allowed: false },
  { namespaces: '*', allowed: true },
  { namespaces: 'a, chat,b', allowed: true },
  { namespaces: 'a\nchat\n', allowed: true },
  { namespaces: 'chat-2 chats', allowed: false },
  { namespaces: 'cha*', allowed: false },
])('namespaces "$namespaces" lets chat in: $allowed', ({ namespaces, allowed }) => {
  expect(allowsNamespace(namespaces, 'chat')).toBe(allowed);
});
