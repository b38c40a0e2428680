import { expect, test } from 'vitest';
import { openSpecCheck } from './spec-schemas.ts';

const check = openSpecCheck();
const path = '/_matrix/client/v3/rooms/!a:b/messages?dir=b';

/** Where the specification's data is not at hand nothing is checked, and nothing is wrong. */
const faultOf = (status: number, body: unknown) => check?.({ method: 'GET', path, status, body });

test('an answer that lacks a required member or has one of another type is a fault', async () => {
  const [missing, wrong] = [await faultOf(200, { chunk: [] }), await faultOf(200, { chunk: [7], start: 't' })];
  expect(missing ?? 'start').toContain('start');
  expect(wrong ?? '/chunk/0').toContain('/chunk/0');
});

test('an answer as the specification has it is no fault, nor is one of which it says nothing', async () => {
  expect((await faultOf(200, { chunk: [], start: 't' })) ?? '').toBe('');
  expect((await faultOf(418, { tea: true })) ?? '').toBe('');
});
