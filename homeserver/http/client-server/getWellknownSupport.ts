import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Whom to ask for help. Errors: M_NOT_FOUND. Spec: client-server API, "Well-known URI", support (v1.19). */
export const getWellknownSupport = endpoint({
  operationId: 'getWellknownSupport',
  method: 'GET',
  path: '/.well-known/matrix/support',
  auth: 'none',
  rateLimit: 'none',
  handle: (app: App) => {
    const { support } = app.config;
    if (support === undefined) return Promise.reject(new MatrixError('M_NOT_FOUND'));
    const contacts = support.contacts.map(({ role, matrixId, emailAddress }) => ({
      role,
      ...(matrixId !== undefined && { matrix_id: matrixId }),
      ...(emailAddress !== undefined && { email_address: emailAddress }),
    }));
    return Promise.resolve({
      ...(contacts.length > 0 && { contacts }),
      ...(support.page !== undefined && { support_page: support.page }),
    });
  },
});
