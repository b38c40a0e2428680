import type { DeviceSession } from '../../accounts/device-sessions.ts';
import type { App } from '../app.ts';

/** What login and register answer. */
export function sessionAnswer(app: App, session: DeviceSession): Record<string, unknown> {
  const { userId, deviceId, accessToken } = session;
  const url = app.config.publicBaseUrl;
  const wellKnown = url !== undefined && { well_known: { 'm.homeserver': { base_url: url } } };
  return {
    user_id: userId,
    access_token: accessToken,
    device_id: deviceId,
    // Deprecated, but older clients still read it.
    home_server: app.config.serverName,
    ...wellKnown,
  };
}
