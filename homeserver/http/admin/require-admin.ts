import { MatrixError } from '../../errors.ts';
import { selectAccount } from '../../storage/tables/accounts.ts';
import type { App } from '../app.ts';
import type { Requester } from '../endpoint.ts';

/** Errors: M_FORBIDDEN for everybody but administrators. */
export async function requireAdmin(app: App, requester: Requester): Promise<void> {
  const account = await selectAccount(app.store.db, requester.userId);
  if (account?.admin !== true) throw new MatrixError('M_FORBIDDEN', 'Only administrators of this server may do this.');
}
