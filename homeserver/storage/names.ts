import type { Queryable } from './database.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import type { CacheName, Caches } from '../caches.ts';
import { NameTable } from './name-table.ts';
import { insertEventTypes, selectEventTypes, selectEventTypesByNo } from './tables/event_types.ts';
import { selectRoomNo } from './tables/rooms.ts';
import { insertServers } from './tables/servers.ts';
import { insertStateKeys, selectStateKeys } from './tables/state_keys.ts';
import { insertUsers, selectUsersById, selectUsersByNo } from './tables/users.ts';
import type { Names, StateName } from './write-batch.ts';

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
  readonly #users: NameTable<string>;
  readonly #userIds: BoundedCache<number, string>;
  readonly #eventTypes: NameTable<string>;
  readonly #types: BoundedCache<number, string>;
  readonly #stateKeys: NameTable<StateName>;
  readonly #roomNos: BoundedCache<string, number>;

  constructor(db: Queryable, caches: Caches) {
    this.#db = db;
    this.#userIds = namesByNumber(caches, 'user_ids', MAX_USERS);
    this.#types = namesByNumber(caches, 'event_type_names', MAX_TYPES);
    this.#roomNos = numbersByName(caches, 'room_numbers', MAX_ROOMS);
    this.#users = new NameTable({
      cache: numbersByName(caches, 'user_numbers', MAX_USERS),
      textOf: (userId) => userId,
      load: (userIds) => this.#loadUsers(userIds),
      insert: (userIds) => this.#insertUsers(userIds),
    });
    this.#eventTypes = new NameTable({
      cache: numbersByName(caches, 'event_types', MAX_TYPES),
      textOf: (type) => type,
      load: async (types) => new Map((await selectEventTypes(db, types)).map((row) => [row.type, row.type_no])),
      insert: (types) => insertEventTypes(db, types),
    });
    this.#stateKeys = new NameTable({
      cache: numbersByName(caches, 'state_keys', MAX_STATE_KEYS),
      textOf: pair,
      load: (names) => selectKeys(db, names),
      insert: (names) => this.#insertStateKeys(names),
    });
  }

  clear(): void {
    for (const each of [this.#users, this.#userIds, this.#eventTypes, this.#types, this.#stateKeys, this.#roomNos])
      each.clear();
  }

  knownUserNo(userId: string): number | undefined {
    return this.#users.known(userId);
  }

  knownTypeNo(type: string): number | undefined {
    return this.#eventTypes.known(type);
  }

  knownStateKeyNo(type: string, stateKey: string): number | undefined {
    return this.#stateKeys.known([type, stateKey]);
  }

  userNo(userId: string): Promise<number> {
    return this.#users.one(userId);
  }

  async findUserNo(userId: string): Promise<number | undefined> {
    return (await this.#users.find([userId])).get(userId);
  }

  userNos(userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#users.resolve(userIds);
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
      this.#userIds.set(row.user_no, row.user_id);
    }
    return found;
  }

  typeNo(type: string): Promise<number> {
    return this.#eventTypes.one(type);
  }

  async findTypeNo(type: string): Promise<number | undefined> {
    return (await this.#eventTypes.find([type])).get(type);
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

  stateKeyNo(type: string, stateKey: string): Promise<number> {
    return this.#stateKeys.one([type, stateKey]);
  }

  async stateKeyNos(names: readonly StateName[]): Promise<readonly number[]> {
    const numbers = await this.#stateKeys.resolve(names);
    return names.flatMap((name) => numbers.get(pair(name)) ?? []);
  }

  async findStateKeyNo(type: string, stateKey: string): Promise<number | undefined> {
    return (await this.#stateKeys.find([[type, stateKey]])).get(pair([type, stateKey]));
  }

  async roomNo(roomId: string): Promise<number | undefined> {
    const known = this.#roomNos.get(roomId);
    if (known !== undefined) return known;
    const roomNo = await selectRoomNo(this.#db, roomId);
    if (roomNo !== undefined) this.#roomNos.set(roomId, roomNo);
    return roomNo;
  }

  async #loadUsers(userIds: readonly string[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const row of await selectUsersById(this.#db, userIds)) {
      found.set(row.user_id, row.user_no);
      this.#userIds.set(row.user_no, row.user_id);
    }
    return found;
  }

  async #insertUsers(userIds: readonly string[]): Promise<void> {
    const users = userIds.map((userId) => ({ userId, server: serverOf(userId) }));
    await insertServers(this.#db, [...new Set(users.map((user) => user.server))]);
    await insertUsers(this.#db, users);
  }

  async #insertStateKeys(names: readonly StateName[]): Promise<void> {
    await this.#eventTypes.resolve(names.map(([type]) => type));
    await insertStateKeys(this.#db, names);
  }
}

async function selectKeys(db: Queryable, names: readonly StateName[]): Promise<Map<string, number>> {
  const rows = await selectStateKeys(db, names);
  return new Map(rows.map((row) => [pair([row.type, row.state_key]), row.state_key_no]));
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
function pair([type, stateKey]: StateName): string {
  return `${type}\u0000${stateKey}`;
}

/** Everything after the first colon, as in all ids with a server part; ids without one belong to a server without a name. */
function serverOf(userId: string): string {
  const colon = userId.indexOf(':');
  return colon < 0 ? '' : userId.slice(colon + 1);
}
