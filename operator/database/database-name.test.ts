import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deriveDatabaseName } from './database-name.ts';

test('the name can be read and ends with a hash', () => {
  const name = deriveDatabaseName({ clusterName: 'default', namespace: 'chat', name: 'my-server' });
  expect(name).toMatch(/^mhs_chat_my_server_[0-9a-f]{8}$/);
});

test('cluster, namespace and name all count', () => {
  const of = { clusterName: 'default', namespace: 'a-b', name: 'c' };
  const names = [of, { ...of, clusterName: 'other' }, { ...of, namespace: 'a', name: 'b-c' }, { ...of, name: 'd' }];
  expect(new Set(names.map(deriveDatabaseName)).size).toBe(4);
});

test('the login role behind it still fits into 63 bytes', () => {
  const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  fc.assert(
    fc.property(label, label, (namespace, name) => {
      expect(deriveDatabaseName({ clusterName: 'default', namespace, name })).toMatch(/^[a-z0-9_]{1,61}$/);
    }),
  );
});
