import type { EventDraft } from '../pipeline/room-writer.ts';
import { ownMember, type JsonObject, type JsonValue } from '../room/json-value.ts';
import type { RoomAlias, UserId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { initialPowerLevels } from './initial-power-levels.ts';
import { presetState, type RoomPreset } from './room-preset.ts';

/** A state event as a client wants it in a new room. */
export interface InitialState {
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

/** A room that is to be made: everything checked and looked up. */
export interface NewRoom {
  readonly creator: UserId;
  readonly rules: RoomVersionRules;
  readonly preset: RoomPreset;
  readonly creationContent: JsonObject;
  readonly powerLevelOverride: JsonObject;
  readonly initialState: readonly InitialState[];
  readonly alias: RoomAlias | undefined;
  readonly name: string | undefined;
  readonly topic: string | undefined;
  readonly invite: readonly UserId[];
  readonly isDirect: boolean | undefined;
  /** What profiles add to member events, by user id. */
  readonly profiles: ReadonlyMap<string, JsonObject>;
}

/** The events of a new room in the order that the specification gives. Spec: client-server API, "createRoom" (v1.19). */
export function newRoomEvents(room: NewRoom): EventDraft[] {
  const { creator, rules, preset, invite } = room;
  const administrators = preset === 'trusted_private_chat' ? invite : [];
  const powerLevels = initialPowerLevels(rules, { creator, administrators, preset, override: room.powerLevelOverride });
  return [
    state(creator, 'm.room.create', createContent(room, administrators)),
    state(creator, 'm.room.member', { ...room.profiles.get(creator), membership: 'join' }, creator),
    state(creator, 'm.room.power_levels', powerLevels),
    ...(room.alias === undefined ? [] : [state(creator, 'm.room.canonical_alias', { alias: room.alias })]),
    ...presetEvents(room),
    ...room.initialState.map(({ type, stateKey, content }) => state(creator, type, content, stateKey)),
    ...(room.name === undefined ? [] : [state(creator, 'm.room.name', { name: room.name })]),
    ...(room.topic === undefined ? [] : [state(creator, 'm.room.topic', topicContent(room.topic))]),
    ...invite.map((userId) => state(creator, 'm.room.member', inviteContent(room, userId), userId)),
  ];
}

function state(sender: UserId, type: string, content: JsonObject, stateKey = ''): EventDraft {
  return { type, stateKey, sender, content };
}

/** `room_version` and `creator` are the server's to set; an unknown `creator` key would only mislead. */
function createContent(room: NewRoom, administrators: readonly UserId[]): JsonObject {
  const { rules, creator, creationContent } = room;
  const asked = Object.fromEntries(Object.entries(creationContent).filter(([key]) => key !== 'creator'));
  const content = { ...asked, room_version: rules.version };
  if (rules.creators === 'content-creator') return { ...content, creator };
  if (rules.creators === 'sender' || administrators.length === 0) return content;
  return { ...content, additional_creators: additionalCreators(creationContent, administrators) };
}

/** What is there but no list stays as it is: the auth rules refuse it. */
function additionalCreators(creationContent: JsonObject, administrators: readonly UserId[]): JsonValue {
  const asked = ownMember(creationContent, 'additional_creators') ?? [];
  if (!Array.isArray(asked)) return asked;
  const listed: readonly JsonValue[] = asked;
  return [...new Set([...listed, ...administrators])];
}

/** Events of the preset that the client replaces itself are not sent at all. */
function presetEvents(room: NewRoom): EventDraft[] {
  const replaced = new Set(room.initialState.filter(({ stateKey }) => stateKey === '').map(({ type }) => type));
  return presetState(room.preset)
    .filter(({ type }) => !replaced.has(type))
    .map(({ type, content }) => state(room.creator, type, content));
}

/** Spec: client-server API, "m.room.topic" (v1.19): plain text in both places. */
function topicContent(topic: string): JsonObject {
  return { topic, 'm.topic': { 'm.text': [{ body: topic, mimetype: 'text/plain' }] } };
}

function inviteContent(room: NewRoom, userId: UserId): JsonObject {
  const direct = room.isDirect === true ? { is_direct: true } : {};
  return { ...room.profiles.get(userId), ...direct, membership: 'invite' };
}
