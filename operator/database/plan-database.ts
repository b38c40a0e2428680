import { belongsTo, checkFound } from './check-found.ts';
import type { Refusal } from './check-found.ts';
import type { FoundLogin, FoundServer, WantedDatabase } from './database-facts.ts';

export type { Refusal } from './check-found.ts';
export type { WantedDatabase } from './database-facts.ts';

/** One change, as data; its names and values follow from the wanted database. */
export type DatabaseAction =
  | 'createOwner'
  | 'markOwner'
  | 'createLogin'
  | 'setPassword'
  | 'setLimit'
  | 'joinOwner'
  | 'bindLogin'
  | 'grantOwner'
  | 'createDatabase'
  | 'takeDatabase'
  | 'markDatabase'
  | 'closeToPublic'
  | 'revokeOwner'
  | 'makeLedger'
  | 'recordOwner';

/** Actions that belong together. */
export interface DatabaseStep {
  readonly name: 'roles' | 'membership' | 'database' | 'own' | 'release' | 'inside';
  readonly actions: readonly DatabaseAction[];
}

export type DatabasePlan =
  | { readonly refusal: Refusal }
  /** No steps: everything is as wanted. After steps the caller observes and plans again. */
  | { readonly refusal?: undefined; readonly steps: readonly DatabaseStep[] };

/**
 * What to do next so that role, login, database, marker and ledger are as wanted, in order; or why nothing is done.
 * What lies inside a database is looked at only once its login works, so a plan from nothing has two rounds.
 */
export function planDatabase(wanted: WantedDatabase, found: FoundServer): DatabasePlan {
  const refusal = checkFound(wanted, found);
  if (refusal !== undefined) return { refusal };
  const roles = roleActions(wanted, found);
  const database: DatabaseAction[] = found.database === undefined ? ['createDatabase'] : [];
  const own = ownActions(wanted, found);
  const needsRole = database.length + own.length > 0 && found.owner?.usable !== true;
  const membership: DatabaseAction[] = needsRole ? ['grantOwner'] : [];
  const release: DatabaseAction[] = needsRole || found.owner?.granted === true ? ['revokeOwner'] : [];
  const steps: DatabaseStep[] = [
    { name: 'roles', actions: roles },
    { name: 'membership', actions: membership },
    { name: 'database', actions: database },
    { name: 'own', actions: own },
    { name: 'release', actions: release },
    { name: 'inside', actions: insideActions(wanted, found) },
  ];
  return { steps: steps.filter(({ actions }) => actions.length > 0) };
}

function roleActions(wanted: WantedDatabase, { owner, login }: FoundServer): DatabaseAction[] {
  const actions: DatabaseAction[] = [];
  if (owner === undefined) actions.push('createOwner');
  const { claim, serverName } = owner?.marker ?? {};
  if (claim !== wanted.claim || serverName !== wanted.serverName) actions.push('markOwner');
  if (login === undefined) actions.push('createLogin', 'bindLogin');
  else actions.push(...loginActions(wanted, login));
  return actions;
}

function loginActions(wanted: WantedDatabase, login: FoundLogin): DatabaseAction[] {
  const actions: DatabaseAction[] = [];
  // The Secret is the truth about the password: whenever it was not seen to work, it is set.
  if (login.accepted !== true) actions.push('setPassword');
  if (login.connectionLimit !== wanted.connectionLimit) actions.push('setLimit');
  if (!login.isMember) actions.push('joinOwner');
  if (!login.startsAsOwner) actions.push('bindLogin');
  return actions;
}

function ownActions(wanted: WantedDatabase, found: FoundServer): DatabaseAction[] {
  const { database } = found;
  if (database === undefined) return ['markDatabase', 'closeToPublic'];
  const unmarked = belongsTo(wanted, found, database) === 'nobody';
  // An unmarked one is taken only after a look inside, which needs the login: that is the next round.
  if (unmarked && database.inside === undefined) return [];
  const actions: DatabaseAction[] = [];
  if (unmarked && database.owner !== wanted.name) actions.push('takeDatabase');
  const { claim, serverName } = database.marker ?? {};
  if (claim !== wanted.claim || serverName !== wanted.serverName) actions.push('markDatabase');
  if (database.publicMayConnect) actions.push('closeToPublic');
  return actions;
}

function insideActions(wanted: WantedDatabase, found: FoundServer): DatabaseAction[] {
  const inside = found.database?.inside;
  if (found.database?.marker?.claim !== wanted.claim || inside === undefined) return [];
  if (!inside.hasLedger) return ['makeLedger', 'recordOwner'];
  return inside.lastOwner?.claim === wanted.claim ? [] : ['recordOwner'];
}
