import { spreadProfile } from '../../accounts/spread-profile.ts';
import type { App } from '../app.ts';

/** Tells of a new name or avatar: by member events, and by presence, of which a failure is of no consequence. */
export async function tellProfile(app: App, userNo: number): Promise<void> {
  await spreadProfile(app, userNo);
  await app.sync.presence?.writer.noteProfile(userNo).catch((err: unknown) => {
    app.log.warn({ err }, 'presence does not tell of a changed profile');
  });
}
