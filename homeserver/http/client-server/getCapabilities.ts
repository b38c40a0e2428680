import { ROOM_VERSIONS } from '../../room/room-versions.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** What clients may expect beyond the specification's minimum. Spec: client-server API, "Capabilities negotiation" (v1.19). */
export const getCapabilities = endpoint({
  operationId: 'getCapabilities',
  method: 'GET',
  path: '/_matrix/client/v3/capabilities',
  aliases: ['/_matrix/client/r0/capabilities'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: (app: App) =>
    Promise.resolve({
      capabilities: {
        'm.change_password': { enabled: true },
        'm.room_versions': {
          default: app.config.rooms.defaultVersion,
          available: Object.fromEntries([...ROOM_VERSIONS.keys()].map((version) => [version, 'stable'])),
        },
        'm.set_displayname': { enabled: true },
        'm.set_avatar_url': { enabled: true },
        'm.profile_fields': { enabled: true },
        'm.3pid_changes': { enabled: false },
        'm.get_login_token': { enabled: false },
        'm.forget_forced_upon_leave': { enabled: false },
      },
    }),
});
