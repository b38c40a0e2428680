import type { OwnerMarker } from './owner-marker.ts';
import type { SpareMarker } from './spare-marker.ts';

/** What a resource wants of a server. */
export interface WantedDatabase {
  /** Database and owner role, at most 61 bytes. */
  readonly name: string;
  /** UUID of this resource's claim, kept in `<n>-db`. */
  readonly claim: string;
  readonly serverName: string;
  readonly adoptPolicy: AdoptPolicy;
  /** Which of the two login roles is in use: `<name>_0` or `<name>_1`. */
  readonly login: 0 | 1;
  readonly connectionLimit: number;
  /** True when this resource's database was made before: then it is never created again. */
  readonly provisionedBefore: boolean;
}

/** What may be done with a database that is there and not marked as ours. */
export type AdoptPolicy = 'None' | 'Empty' | 'SameServerName';

/** What a server has under the wanted names. */
export interface FoundServer {
  /** Such as 150020. */
  readonly versionNumber: number;
  /** Such as `15.20`. */
  readonly version: string;
  readonly owner: FoundOwner | undefined;
  readonly login: FoundLogin | undefined;
  readonly database: FoundDatabase | undefined;
  /** The spare database for restore drills. */
  readonly spare?: FoundSpare | undefined;
}

export interface FoundSpare {
  readonly owner: string;
  readonly hasComment: boolean;
  readonly marker: SpareMarker | undefined;
}

export interface FoundOwner {
  readonly marker: OwnerMarker | undefined;
  /** Whether the administrator may act as this role now. */
  readonly usable: boolean;
  /** Whether a membership that we granted to the administrator is still there. */
  readonly granted: boolean;
}

export interface FoundLogin {
  readonly connectionLimit: number;
  readonly isMember: boolean;
  /** Whether its sessions begin as the owner role. */
  readonly startsAsOwner: boolean;
  /** Whether the other of the two login roles may still log in. */
  readonly otherIsOpen: boolean;
  /** Whether our password lets it in; undefined when that was not tried. */
  readonly accepted: boolean | undefined;
}

export interface FoundDatabase extends FoundCollation {
  readonly owner: string;
  readonly marker: OwnerMarker | undefined;
  readonly publicMayConnect: boolean;
  /** Sessions of the tenant's logins in it. */
  readonly liveSessions: number;
  /** undefined when the tenant's login could not look. */
  readonly inside: FoundInside | undefined;
}

export interface FoundCollation {
  readonly encoding: string;
  /** `c` libc, `b` builtin, `i` ICU. */
  readonly provider: string;
  readonly collate: string;
  readonly ctype: string;
  /** Of the builtin and ICU providers. */
  readonly locale: string | undefined;
}

export interface FoundInside {
  /** Tables, views and sequences that are neither PostgreSQL's, nor an extension's, nor our ledger's. */
  readonly userTables: number;
  /** Whether the ledger's tables are there. */
  readonly hasLedger: boolean;
  /** The last owner that the ledger names. */
  readonly lastOwner: { readonly claim: string; readonly serverName: string } | undefined;
}
