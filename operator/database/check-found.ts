import type { FailureReason } from '../errors.ts';
import type { FoundCollation, FoundDatabase, FoundInside, FoundServer, WantedDatabase } from './database-facts.ts';

/** Why nothing is done; the message says what is wrong and what a person can do. */
export interface Refusal {
  readonly reason: FailureReason;
  readonly message: string;
}

/** Whose a database is, by its comment, or by its owner role's when it has none yet. */
export type Belongs = 'ours' | 'same server' | 'other server' | 'nobody';

const OLDEST_VERSION = 140_000;
const PROVIDERS: Readonly<Record<string, string>> = { c: 'libc', b: 'builtin', i: 'icu' };

/** The first reason not to touch this server; undefined when the plan may go on. */
export function checkFound(wanted: WantedDatabase, found: FoundServer): Refusal | undefined {
  if (found.versionNumber < OLDEST_VERSION) {
    return { reason: 'ServerUnsupported', message: `PostgreSQL ${found.version} is too old: 14 or newer is needed` };
  }
  if (found.database === undefined) return checkAbsent(wanted, found);
  return (
    checkBelongs(wanted, found, found.database) ??
    checkCollation(wanted.name, found.database) ??
    checkUnmarked(wanted, found, found.database) ??
    checkOwner(wanted, found, found.database) ??
    checkServerName(wanted, found.database.inside)
  );
}

/** Whose `found.database` is. */
export function belongsTo(wanted: WantedDatabase, found: FoundServer, database: FoundDatabase): Belongs {
  const fromOwner = database.owner === wanted.name ? found.owner?.marker : undefined;
  const marker = database.marker ?? fromOwner;
  if (marker === undefined) return 'nobody';
  if (marker.claim === wanted.claim) return 'ours';
  return marker.serverName === wanted.serverName ? 'same server' : 'other server';
}

/** Whether the spare database is ours to use and to drop: by its mark, or by its owner role's while it has none. */
export function isOurSpare(
  { name, claim }: Pick<WantedDatabase, 'name' | 'claim'>,
  { spare, owner }: Pick<FoundServer, 'spare' | 'owner'>,
): boolean {
  if (spare === undefined) return false;
  if (spare.marker !== undefined) return spare.marker.claim === claim;
  return !spare.hasComment && spare.owner === name && owner?.marker?.claim === claim;
}

/** Encoding UTF8 and collation C, whoever provides it: the homeserver's order of text must not depend on a library. */
export function checkCollation(name: string, found: FoundCollation): Refusal | undefined {
  const isC = (text: string | undefined) => text === 'C' || text === 'POSIX';
  const plain = found.provider === 'c' && isC(found.collate) && isC(found.ctype);
  const builtin = found.provider === 'b' && isC(found.locale);
  if (found.encoding === 'UTF8' && (plain || builtin)) return undefined;
  const has = `encoding ${found.encoding}, provider ${PROVIDERS[found.provider] ?? found.provider}, collation ${found.collate}, character type ${found.ctype}`;
  const needed = `encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0`;
  const message = `database "${name}" has ${has}; it must be made with: create database ... ${needed}. Choose another database.name, or make this one again`;
  return { reason: 'WrongCollation', message };
}

/** The ledger inside names another Matrix server: a restored or copied database. */
export function checkServerName(wanted: { name: string; serverName: string }, inside: FoundInside | undefined) {
  const written = inside?.lastOwner?.serverName;
  if (written === undefined || written === wanted.serverName) return undefined;
  const message = `database "${wanted.name}" holds the data of the Matrix server ${written}, not of ${wanted.serverName}; use another database`;
  return { reason: 'WrongServerName', message } as const;
}

function checkAbsent(wanted: WantedDatabase, found: FoundServer): Refusal | undefined {
  if (wanted.provisionedBefore) {
    const message = `database "${wanted.name}" was there and is gone; restore it from a backup: an empty one is never made in its place`;
    return { reason: 'DatabaseLost', message };
  }
  const foreignOwner = found.owner !== undefined && found.owner.marker?.claim !== wanted.claim;
  const role = foreignOwner ? wanted.name : `${wanted.name}_${wanted.login}`;
  if (!foreignOwner && (found.owner !== undefined || found.login === undefined)) return undefined;
  return conflict(
    `role "${role}" exists already and does not carry our claim; drop it or choose another database.name`,
  );
}

function checkBelongs(wanted: WantedDatabase, found: FoundServer, database: FoundDatabase): Refusal | undefined {
  switch (belongsTo(wanted, found, database)) {
    case 'ours':
    case 'nobody':
      return undefined;
    case 'other server': {
      const other = (database.marker ?? found.owner?.marker)?.serverName ?? 'another resource';
      return conflict(`database "${wanted.name}" belongs to ${other}; choose another database.name`);
    }
    case 'same server':
      return checkTakeover(wanted, database.liveSessions);
  }
}

/** Two homeservers of one name on one database would both be right; one of them must have stopped. */
export function checkTakeover(
  wanted: Pick<WantedDatabase, 'name' | 'adoptPolicy'>,
  liveSessions: number,
): Refusal | undefined {
  const who = `database "${wanted.name}" belongs to another resource for the same server name`;
  if (wanted.adoptPolicy !== 'SameServerName') {
    return conflict(`${who}; set database.adoptPolicy to SameServerName to take it over`);
  }
  if (liveSessions === 0) return undefined;
  return conflict(`${who}, which still has ${liveSessions} sessions in it; stop that homeserver first`);
}

function checkUnmarked(wanted: WantedDatabase, found: FoundServer, database: FoundDatabase): Refusal | undefined {
  if (belongsTo(wanted, found, database) !== 'nobody') return undefined;
  const name = `database "${wanted.name}"`;
  if (wanted.adoptPolicy === 'None') {
    return conflict(
      `${name} exists already and was not made by this operator; set database.adoptPolicy to Empty if it is empty and may be taken, or choose another database.name`,
    );
  }
  if (found.owner !== undefined && found.owner.marker?.claim !== wanted.claim) {
    return conflict(`role "${wanted.name}" exists already and does not carry our claim; drop or rename it`);
  }
  const tables = database.inside?.userTables ?? 0;
  return tables === 0
    ? undefined
    : conflict(`${name} holds ${tables} tables of somebody else; only an empty one is taken`);
}

/** A marked database whose owner was changed: nothing inside could be created. */
function checkOwner(wanted: WantedDatabase, found: FoundServer, database: FoundDatabase): Refusal | undefined {
  if (database.owner === wanted.name || belongsTo(wanted, found, database) === 'nobody') return undefined;
  return conflict(
    `database "${wanted.name}" carries our claim but is owned by "${database.owner}"; give it back: alter database "${wanted.name}" owner to "${wanted.name}"`,
  );
}

function conflict(message: string): Refusal {
  return { reason: 'DatabaseConflict', message };
}
