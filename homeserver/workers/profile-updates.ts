import type { AccountsContext } from '../accounts/context.ts';
import { spreadProfile } from '../accounts/spread-profile.ts';
import { background } from '../log.ts';

/** How often a replica looks for profile changes that nobody works on, ms. */
const EVERY_MS = 5000;
/** Changes worked off in one go. */
const MAX_AT_ONCE = 20;

/** Goes on with profile changes that their request did not finish; every replica may run it. Gives back its own end. */
export function startProfileUpdates(ctx: AccountsContext): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    running = work(ctx).finally(() => {
      busy = false;
    });
    background(running, ctx.log, 'profile updates');
  }, EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running.catch(() => undefined);
  };
}

async function work(ctx: AccountsContext): Promise<void> {
  for (let i = 0; i < MAX_AT_ONCE; i += 1) if (!(await spreadProfile(ctx))) return;
}
