import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';

/** Rooms of one page of the directory. */
export const MAX_PUBLIC_ROOMS = 500;
export const USUAL_PUBLIC_ROOMS = 100;

/** Errors: M_INVALID_PARAM for another server's directory. */
export function checkOwnDirectory(app: App, server: string | undefined): void {
  if (server === undefined || server === app.config.serverName) return;
  throw new MatrixError('M_INVALID_PARAM', 'server: this server does not reach the directories of other servers.');
}
