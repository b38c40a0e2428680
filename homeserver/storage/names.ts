import type { Queryable } from './database.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import type { CacheName, Caches } from '../caches.ts';
import { insertEventType, selectEventType, selectEventTypesByNo } from './tables/event_types.ts';
import { selectRoomNo } from './tables/rooms.ts';
import { insertServers } from './tables/servers.ts';
import { insertStateKey, selectStateKey } from './tables/state_keys.ts';
import { insertUsers, selectUsersById, selectUsersByNo } from './tables/users.ts';
import type { Names } from './write-batch.ts';

/** Ids have at most 255 bytes, types and state keys too. */
const MAX_USERS = 50_000;
const MAX_STATE_KEYS = 50_000;
const MAX_TYPES = 10_000;
const MAX_ROOMS = 50_000;

/** Names with the means to forget. */
export interface CachingNames extends Names {
  /** After another start of the server: rows that were inserted last may be lost, and their numbers given to others. */
  clear(): void;
}

/** Names <-> numbers of one replica; every entry is immutable, so nothing here is out of date while the server runs. */
export function createNames(db: Queryable, caches: Caches): CachingNames {
  return new CachedNames(db, caches);
}

class CachedNames implements CachingNames {
  readonly #db: Queryable;
  readonly #userNos: BoundedCache<string, number>;
  readonly #userIds: BoundedCache<number, string>;
  readonly #typeNos: BoundedCache<string, number>;
  readonly #types: BoundedCache<number, string>;
  readonly #stateKeyNos: BoundedCache<string, number>;
  readonly #roomNos: BoundedCache<string, number>;

  constructor(db: Queryable, caches: Caches) {
    this.#db = db;
    this.#userNos = numbersByName(caches, 'user_numbers', MAX_USERS);
    this.#userIds = namesByNumber(caches, 'user_ids', MAX_USERS);
    this.#typeNos = numbersByName(caches, 'event_types', MAX_TYPES);
    this.#types = namesByNumber(caches, 'event_type_names', MAX_TYPES);
    this.#stateKeyNos = numbersByName(caches, 'state_keys', MAX_STATE_KEYS);
    this.#roomNos = numbersByName(caches, 'room_numbers', MAX_ROOMS);
  }

  clear(): void {
    for (const map of [this.#userNos, this.#userIds, this.#typeNos, this.#types, this.#stateKeyNos, this.#roomNos])
      map.clear();
  }

  knownUserNo(userId: string): number | undefined {
    return this.#userNos.get(userId);
  }

  knownTypeNo(type: string): number | undefined {
    return this.#typeNos.get(type);
  }

  knownStateKeyNo(type: string, stateKey: string): number | undefined {
    return this.#stateKeyNos.get(pair(type, stateKey));
  }

  async userNo(userId: string): Promise<number> {
    const known = this.knownUserNo(userId);
    if (known !== undefined) return known;
    return present((await this.userNos([userId])).get(userId), userId);
  }

  async findUserNo(userId: string): Promise<number | undefined> {
    return this.knownUserNo(userId) ?? (await this.#loadUsers([userId])).get(userId);
  }

  async userNos(userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>();
    const unknown = [...new Set(userIds)].filter((userId) => {
      const userNo = this.knownUserNo(userId);
      if (userNo !== undefined) found.set(userId, userNo);
      return userNo === undefined;
    });
    if (unknown.length === 0) return found;
    for (const [userId, userNo] of await this.#resolveUsers(unknown)) found.set(userId, userNo);
    return found;
  }

  async userIds(userNos: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const found = new Map<number, string>();
    const unknown = [...new Set(userNos)].filter((userNo) => {
      const userId = this.#userIds.get(userNo);
      if (userId !== undefined) found.set(userNo, userId);
      return userId === undefined;
    });
    if (unknown.length === 0) return found;
    for (const row of await selectUsersByNo(this.#db, unknown)) {
      found.set(row.user_no, row.user_id);
      this.#keepUser(row.user_id, row.user_no);
    }
    return found;
  }

  async typeNo(type: string): Promise<number> {
    const cached = this.knownTypeNo(type);
    if (cached !== undefined) return cached;
    const known = await selectEventType(this.#db, type);
    if (known === undefined) await insertEventType(this.#db, type);
    const typeNo = present(known ?? (await selectEventType(this.#db, type)), type);
    this.#typeNos.set(type, typeNo);
    return typeNo;
  }

  async types(typeNos: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const found = new Map<number, string>();
    const unknown = [...new Set(typeNos)].filter((typeNo) => {
      const type = this.#types.get(typeNo);
      if (type !== undefined) found.set(typeNo, type);
      return type === undefined;
    });
    if (unknown.length === 0) return found;
    for (const row of await selectEventTypesByNo(this.#db, unknown)) {
      found.set(row.type_no, row.type);
      this.#types.set(row.type_no, row.type);
    }
    return found;
  }

  async stateKeyNo(type: string, stateKey: string): Promise<number> {
    const cached = this.knownStateKeyNo(type, stateKey);
    if (cached !== undefined) return cached;
    const typeNo = await this.typeNo(type);
    const known = await selectStateKey(this.#db, typeNo, stateKey);
    if (known === undefined) await insertStateKey(this.#db, typeNo, stateKey);
    const stateKeyNo = present(known ?? (await selectStateKey(this.#db, typeNo, stateKey)), type);
    this.#stateKeyNos.set(pair(type, stateKey), stateKeyNo);
    return stateKeyNo;
  }

  async roomNo(roomId: string): Promise<number | undefined> {
    const known = this.#roomNos.get(roomId);
    if (known !== undefined) return known;
    const roomNo = await selectRoomNo(this.#db, roomId);
    if (roomNo !== undefined) this.#roomNos.set(roomId, roomNo);
    return roomNo;
  }

  /** Committed before anything refers to the numbers: a name row without a use does no harm, the reverse would. */
  async #resolveUsers(userIds: readonly string[]): Promise<Map<string, number>> {
    const found = await this.#loadUsers(userIds);
    const missing = userIds.filter((userId) => !found.has(userId));
    if (missing.length === 0) return found;
    const users = missing.map((userId) => ({ userId, server: serverOf(userId) }));
    await insertServers(this.#db, [...new Set(users.map((user) => user.server))]);
    await insertUsers(this.#db, users);
    for (const [userId, userNo] of await this.#loadUsers(missing)) found.set(userId, userNo);
    for (const userId of missing) present(found.get(userId), userId);
    return found;
  }

  async #loadUsers(userIds: readonly string[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const row of await selectUsersById(this.#db, userIds)) {
      found.set(row.user_id, row.user_no);
      this.#keepUser(row.user_id, row.user_no);
    }
    return found;
  }

  #keepUser(userId: string, userNo: number): void {
    this.#userNos.set(userId, userNo);
    this.#userIds.set(userNo, userId);
  }
}

/** A place in a map with its key and a small value. */
const ENTRY_BYTES = 100;

function numbersByName(caches: Caches, name: CacheName, entries: number): BoundedCache<string, number> {
  return caches.bounded(name, { entries, weigh: (text) => ENTRY_BYTES + text.length });
}

function namesByNumber(caches: Caches, name: CacheName, entries: number): BoundedCache<number, string> {
  return caches.bounded(name, { entries, weigh: (_no, text) => ENTRY_BYTES + text.length });
}

/** U+0000 is in no type or state key that PostgreSQL can hold. */
function pair(type: string, stateKey: string): string {
  return `${type}\u0000${stateKey}`;
}

/** Everything after the first colon, as in all ids with a server part; ids without one belong to a server without a name. */
function serverOf(userId: string): string {
  const colon = userId.indexOf(':');
  return colon < 0 ? '' : userId.slice(colon + 1);
}

function present(no: number | undefined, name: string): number {
  if (no === undefined) throw new Error(`the name ${JSON.stringify(name)} was inserted but is not there`);
  return no;
}
