import { setTimeout as pause } from 'node:timers/promises';

/** Longest profile, in seconds. */
export const MAX_PROFILE_SECONDS = 60;

/** What this process spends its time on, as JSON that Chrome's developer tools read (`.cpuprofile`). */
export async function cpuProfile(seconds: number): Promise<string> {
  // Loaded only where somebody asks.
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await pause(seconds * 1000);
    const { profile } = await session.post('Profiler.stop');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}
