import { expect, test } from 'vitest';
import { background, createLog } from './log.ts';

function logInto(lines: string[]) {
  return createLog('info', { write: (line: string) => lines.push(line) });
}

test('a secret that a caller logs by mistake does not reach the line', () => {
  const lines: string[] = [];
  const log = logInto(lines);
  log.info(
    { password: 'hunter2', key: { seed: 'hunter2' }, secret: { data: { password: 'hunter2' } }, name: 'chat' },
    'made',
  );
  expect(lines.join('')).not.toContain('hunter2');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'made', name: 'chat', level: 'info', component: 'operator' });
});

test('background work that fails is logged', async () => {
  const lines: string[] = [];
  const { promise, reject } = Promise.withResolvers<never>();
  background(promise, logInto(lines), 'watch');
  reject(new Error('broken'));
  await expect(promise).rejects.toThrow('broken');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ step: 'watch', err: { message: 'broken' }, level: 'error' });
});
