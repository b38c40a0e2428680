import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { createRoom as makeRoom, type RoomRequest } from '../../rooms/create-room.ts';
import { userIdOf } from '../../rooms/local-user.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { JsonContent } from '../json-content.ts';

const InitialStateEvent = z.looseObject({
  type: z.string().min(1).max(255),
  state_key: z.string().max(255).default(''),
  content: JsonContent,
});

const CreateRoomBody = z.looseObject({
  visibility: z.enum(['public', 'private']).default('private'),
  room_alias_name: z.string().max(255).optional(),
  name: z.string().optional(),
  topic: z.string().optional(),
  invite: z.array(z.string()).max(1000).default([]),
  invite_3pid: z.array(z.unknown()).default([]),
  room_version: z.string().optional(),
  creation_content: JsonContent.optional(),
  initial_state: z.array(InitialStateEvent).max(500).default([]),
  preset: z.enum(['private_chat', 'public_chat', 'trusted_private_chat']).optional(),
  is_direct: z.boolean().optional(),
  power_level_content_override: JsonContent.optional(),
});

/**
 * Create a room. Errors: M_UNSUPPORTED_ROOM_VERSION, M_ROOM_IN_USE, M_INVALID_ROOM_STATE, M_INVALID_PARAM (alias, invites by
 * third-party id), M_FORBIDDEN (invitee of another server). Spec: client-server API, "Creation" (v1.19).
 */
export const createRoom = endpoint({
  operationId: 'createRoom',
  method: 'POST',
  path: '/_matrix/client/v3/createRoom',
  aliases: ['/_matrix/client/r0/createRoom'],
  auth: 'user',
  rateLimit: 'roomCreationPerUser',
  showsActivity: true,
  body: CreateRoomBody,
  handle: async (app: App, { requester, body }) => ({ room_id: await makeRoom(app, requester, requestOf(body)) }),
});

function requestOf(body: z.infer<typeof CreateRoomBody>): RoomRequest {
  if (body.invite_3pid.length > 0) {
    throw new MatrixError('M_INVALID_PARAM', 'invite_3pid: this server invites by user id only');
  }
  return {
    version: body.room_version,
    visibility: body.visibility,
    preset: body.preset,
    creationContent: body.creation_content ?? {},
    powerLevelOverride: body.power_level_content_override ?? {},
    initialState: body.initial_state.map(({ type, state_key: stateKey, content }) => ({ type, stateKey, content })),
    aliasName: body.room_alias_name,
    name: body.name,
    topic: body.topic,
    invite: body.invite.map(userIdOf),
    isDirect: body.is_direct,
  };
}
