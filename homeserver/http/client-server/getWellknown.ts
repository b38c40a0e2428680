import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Where group calls are served. Spec: MSC4143. */
function rtcFoci({ config }: App) {
  if (config.rtc === undefined) return {};
  const focus = { type: 'livekit', livekit_service_url: config.rtc.livekitServiceUrl };
  return { 'org.matrix.msc4143.rtc_foci': [focus] };
}

/** Where clients reach this server. Spec: client-server API, "Well-known URI" (v1.19). Errors: M_NOT_FOUND. */
export const getWellknown = endpoint({
  operationId: 'getWellknown',
  method: 'GET',
  path: '/.well-known/matrix/client',
  auth: 'none',
  rateLimit: 'none',
  handle: (app: App) => {
    const url = app.config.publicBaseUrl;
    if (url === undefined) return Promise.reject(new MatrixError('M_NOT_FOUND'));
    return Promise.resolve({ 'm.homeserver': { base_url: url }, ...rtcFoci(app) });
  },
});
