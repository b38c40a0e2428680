import type { AnyEndpoint } from '../app.ts';
import { registerWithSecret } from './registerWithSecret.ts';
import { registrationNonce } from './registrationNonce.ts';
import { sendServerNotice } from './sendServerNotice.ts';
import { sendServerNoticeOnce } from './sendServerNoticeOnce.ts';

/** Those endpoints of Synapse's admin API that are served, for the tools that speak it. The specification has none of them. */
export const ADMIN_ROUTES: readonly AnyEndpoint[] = [
  registerWithSecret,
  registrationNonce,
  sendServerNotice,
  sendServerNoticeOnce,
];
