import { background } from '../log.ts';
import type { SyncContext } from '../sync/context.ts';

/** How long somebody may be told to be online who is not any more, ms; and how long a lost message between replicas goes unnoticed. */
const EVERY_MS = 5000;

/** Notices what time alone changes of presence; every replica does it, each row once. Gives back its own end. */
export function startPresence(ctx: SyncContext): () => Promise<void> {
  const { presence } = ctx.sync;
  if (presence === undefined) return () => Promise.resolve();
  let running: Promise<void> | undefined;
  const look = async () => {
    await presence.writer.sweep();
    await presence.feed.catchUp();
  };
  const turn = () => {
    if (running !== undefined) return;
    running = look().finally(() => {
      running = undefined;
    });
    background(running, ctx.log, 'presence');
  };
  turn();
  const timer = setInterval(turn, EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running?.catch(() => undefined);
  };
}
