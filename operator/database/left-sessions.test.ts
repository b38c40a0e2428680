import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DatabaseLogin, Session } from './connect.ts';
import { createLeftSessions } from './left-sessions.ts';
import type { AgedSession } from './left-sessions.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const login: DatabaseLogin = {
  host: 'a',
  port: 5432,
  database: 'postgres',
  username: 'admin',
  password: 'one',
  tls: { mode: 'VerifyFull' },
  credentials: 'Secret pg-admin',
};

function sessionOf(answer: () => Promise<never[]> = () => Promise.resolve([])) {
  const end = vi.fn(() => Promise.resolve());
  const asked: string[] = [];
  const query: Session['query'] = (text) => {
    asked.push(text);
    return answer();
  };
  const session: Session = { query, transaction: () => Promise.reject(new Error('unused')) };
  const open: AgedSession = { session, end, since: performance.now() };
  return { open, end, asked };
}

test('what is left has no lock any more and is there for the next with the same login, once', async () => {
  const left = createLeftSessions();
  const { open, asked, end } = sessionOf();
  expect(await left.leave(login, open)).toBe(true);
  expect(asked).toEqual(['select pg_advisory_unlock_all()']);
  expect(left.take({ ...login, credentials: 'Secret other' })).toBe(open);
  expect(left.take(login)).toBeUndefined();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(end).not.toHaveBeenCalled();
});

test('nobody comes for it: it is closed', async () => {
  const left = createLeftSessions();
  const { open, end } = sessionOf();
  await left.leave(login, open);
  await vi.advanceTimersByTimeAsync(1000);
  expect(end).toHaveBeenCalledOnce();
  expect(left.take(login)).toBeUndefined();
});

test.for([
  { password: 'two' },
  { username: 'other' },
  { database: 'other' },
  { tls: { mode: 'Require' as const } },
  { tls: { mode: 'VerifyFull' as const, caCertificate: 'other' } },
])('another login of this server gets none of it, and it is closed: %j', async (other) => {
  const left = createLeftSessions();
  const { open, end } = sessionOf();
  await left.leave(login, open);
  expect(left.take({ ...login, ...other })).toBeUndefined();
  expect(end).toHaveBeenCalledOnce();
});

test('one of another server stays', async () => {
  const left = createLeftSessions();
  const { open, end } = sessionOf();
  await left.leave(login, open);
  expect(left.take({ ...login, host: 'b' })).toBeUndefined();
  expect(end).not.toHaveBeenCalled();
  expect(left.take(login)).toBe(open);
});

test('one that is broken or old is not left', async () => {
  const left = createLeftSessions();
  expect(await left.leave(login, sessionOf(() => Promise.reject(new Error('broken'))).open)).toBe(false);
  const { open } = sessionOf();
  await vi.advanceTimersByTimeAsync(60_001);
  expect(await left.leave(login, open)).toBe(false);
  expect(left.take(login)).toBeUndefined();
});
