import type { AnyEndpoint } from '../app.ts';
import { ban } from './ban.ts';
import { changePassword } from './changePassword.ts';
import { checkUsernameAvailability } from './checkUsernameAvailability.ts';
import { createRoom } from './createRoom.ts';
import { defineFilter } from './defineFilter.ts';
import { deleteDevice } from './deleteDevice.ts';
import { deleteDevices } from './deleteDevices.ts';
import { deleteProfileField } from './deleteProfileField.ts';
import { deletePushRule } from './deletePushRule.ts';
import { deleteRoomAlias } from './deleteRoomAlias.ts';
import { deleteRoomTag } from './deleteRoomTag.ts';
import { forgetRoom } from './forgetRoom.ts';
import { getAccountData } from './getAccountData.ts';
import { getAccountDataPerRoom } from './getAccountDataPerRoom.ts';
import { getCapabilities } from './getCapabilities.ts';
import { getDevice } from './getDevice.ts';
import { getDevices } from './getDevices.ts';
import { getEventByTimestamp } from './getEventByTimestamp.ts';
import { getEventContext } from './getEventContext.ts';
import { getEvents } from './getEvents.ts';
import { getFilter } from './getFilter.ts';
import { getJoinedMembersByRoom } from './getJoinedMembersByRoom.ts';
import { getJoinedRooms } from './getJoinedRooms.ts';
import { getLocalAliases } from './getLocalAliases.ts';
import { getLoginFlows } from './getLoginFlows.ts';
import { getMembersByRoom } from './getMembersByRoom.ts';
import { getMutualRooms } from './getMutualRooms.ts';
import { getNotifications } from './getNotifications.ts';
import { getOneEvent } from './getOneEvent.ts';
import { getOneRoomEvent } from './getOneRoomEvent.ts';
import { getPresence } from './getPresence.ts';
import { getProfileField } from './getProfileField.ts';
import { getPublicRooms } from './getPublicRooms.ts';
import { getPushRule } from './getPushRule.ts';
import { getPushRuleActions } from './getPushRuleActions.ts';
import { getPushRules } from './getPushRules.ts';
import { getPushRulesGlobal } from './getPushRulesGlobal.ts';
import { getRelatingEvents } from './getRelatingEvents.ts';
import { getRelatingEventsWithRelType } from './getRelatingEventsWithRelType.ts';
import { getRelatingEventsWithRelTypeAndEventType } from './getRelatingEventsWithRelTypeAndEventType.ts';
import { getRoomEvents } from './getRoomEvents.ts';
import { getRoomIdByAlias } from './getRoomIdByAlias.ts';
import { getRoomState } from './getRoomState.ts';
import { getRoomStateWithKey } from './getRoomStateWithKey.ts';
import { getRoomSummary } from './getRoomSummary.ts';
import { getRoomTags } from './getRoomTags.ts';
import { getRoomVisibilityOnDirectory } from './getRoomVisibilityOnDirectory.ts';
import { getSpaceHierarchy } from './getSpaceHierarchy.ts';
import { getThreadRoots } from './getThreadRoots.ts';
import { getTokenOwner } from './getTokenOwner.ts';
import { getTurnServer } from './getTurnServer.ts';
import { getUserProfile } from './getUserProfile.ts';
import { getVersions } from './getVersions.ts';
import { getWellknown } from './getWellknown.ts';
import { getWellknownSupport } from './getWellknownSupport.ts';
import { initialSync } from './initialSync.ts';
import { inviteUser } from './inviteUser.ts';
import { isPushRuleEnabled } from './isPushRuleEnabled.ts';
import { joinRoom } from './joinRoom.ts';
import { joinRoomById } from './joinRoomById.ts';
import { kick } from './kick.ts';
import { knockRoom } from './knockRoom.ts';
import { leaveRoom } from './leaveRoom.ts';
import { login } from './login.ts';
import { logout } from './logout.ts';
import { logout_all } from './logout_all.ts';
import { postReceipt } from './postReceipt.ts';
import { queryPublicRooms } from './queryPublicRooms.ts';
import { redactEvent } from './redactEvent.ts';
import { register } from './register.ts';
import { registrationTokenValidity } from './registrationTokenValidity.ts';
import { reportEvent } from './reportEvent.ts';
import { reportRoom } from './reportRoom.ts';
import { reportUser } from './reportUser.ts';
import { requestOpenIdToken } from './requestOpenIdToken.ts';
import { roomInitialSync } from './roomInitialSync.ts';
import { search } from './search.ts';
import { searchUserDirectory } from './searchUserDirectory.ts';
import { sendMessage } from './sendMessage.ts';
import { setAccountData } from './setAccountData.ts';
import { setAccountDataPerRoom } from './setAccountDataPerRoom.ts';
import { setPresence } from './setPresence.ts';
import { setProfileField } from './setProfileField.ts';
import { setPushRule } from './setPushRule.ts';
import { setPushRuleActions } from './setPushRuleActions.ts';
import { setPushRuleEnabled } from './setPushRuleEnabled.ts';
import { setReadMarker } from './setReadMarker.ts';
import { setRoomAlias } from './setRoomAlias.ts';
import { setRoomStateWithKey } from './setRoomStateWithKey.ts';
import { setRoomTag } from './setRoomTag.ts';
import { setRoomVisibilityOnDirectory } from './setRoomVisibilityOnDirectory.ts';
import { setTyping } from './setTyping.ts';
import { sync } from './sync.ts';
import { unban } from './unban.ts';
import { updateDevice } from './updateDevice.ts';
import { upgradeRoom } from './upgradeRoom.ts';

/** Every client-server endpoint that is served; all other paths answer M_UNRECOGNIZED. */
export const CLIENT_SERVER_ROUTES: readonly AnyEndpoint[] = [
  ban,
  changePassword,
  checkUsernameAvailability,
  createRoom,
  defineFilter,
  deleteDevice,
  deleteDevices,
  deleteProfileField,
  deletePushRule,
  deleteRoomAlias,
  deleteRoomTag,
  forgetRoom,
  getAccountData,
  getAccountDataPerRoom,
  getCapabilities,
  getDevice,
  getDevices,
  getEventByTimestamp,
  getEventContext,
  getEvents,
  getFilter,
  getJoinedMembersByRoom,
  getJoinedRooms,
  getLocalAliases,
  getLoginFlows,
  getMembersByRoom,
  getMutualRooms,
  getNotifications,
  getOneEvent,
  getOneRoomEvent,
  getPresence,
  getProfileField,
  getPublicRooms,
  getPushRule,
  getPushRuleActions,
  getPushRules,
  getPushRulesGlobal,
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
  getRoomEvents,
  getRoomIdByAlias,
  getRoomState,
  getRoomStateWithKey,
  getRoomSummary,
  getRoomTags,
  getRoomVisibilityOnDirectory,
  getSpaceHierarchy,
  getThreadRoots,
  getTokenOwner,
  getTurnServer,
  requestOpenIdToken,
  getUserProfile,
  getVersions,
  getWellknown,
  getWellknownSupport,
  initialSync,
  inviteUser,
  isPushRuleEnabled,
  joinRoom,
  joinRoomById,
  kick,
  knockRoom,
  leaveRoom,
  login,
  logout,
  logout_all,
  postReceipt,
  queryPublicRooms,
  redactEvent,
  register,
  registrationTokenValidity,
  reportEvent,
  reportRoom,
  reportUser,
  roomInitialSync,
  search,
  searchUserDirectory,
  sendMessage,
  setAccountData,
  setAccountDataPerRoom,
  setPresence,
  setProfileField,
  setPushRule,
  setPushRuleActions,
  setPushRuleEnabled,
  setReadMarker,
  setRoomAlias,
  setRoomStateWithKey,
  setRoomTag,
  setRoomVisibilityOnDirectory,
  setTyping,
  sync,
  unban,
  updateDevice,
  upgradeRoom,
];
