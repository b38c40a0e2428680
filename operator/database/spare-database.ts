import { OperatorError } from '../errors.ts';
import { isOurSpare } from './check-found.ts';
import type { Session } from './connect.ts';
import type { FoundServer, WantedDatabase } from './database-facts.ts';
import { actAsOwnerSql, adminSql, createDatabaseSql } from './database-sql.ts';
import { observeServer } from './observe-database.ts';
import { withLockedAdmin } from './provision.ts';
import type { ProvisionInput } from './provision.ts';
import { quoteIdentifier, quoteLiteral } from './quote-identifier.ts';
import { formatSpareMarker, spareName } from './spare-marker.ts';

type Wanted = Pick<WantedDatabase, 'name' | 'claim'>;

/**
 * Makes an empty database beside the tenant's, of the same owner, for one restore drill; one that another drill has left goes
 * first. Safe to repeat, to be killed anywhere and to run twice at once. Errors: as `withSession`, DatabaseConflict, LockHeld.
 */
export function makeSpare(input: ProvisionInput, drill: string): Promise<void> {
  const { wanted } = input;
  return withLockedAdmin(input, async (admin) => {
    const found = await observeServer(admin, wanted);
    const isOurs = isOurSpare(wanted, found);
    if (isOurs && found.spare?.marker?.drill === drill) return;
    if (found.spare !== undefined && !isOurs) throw foreign(wanted);
    await asMember(admin, input, found, async () => {
      if (isOurs) await drop(admin, wanted);
      await admin.query(createDatabaseSql(spareName(wanted.name), wanted.name, found.versionNumber));
      await admin.transaction(() => mark(admin, input, drill));
    });
  });
}

/** Drops the spare database if there is one and it is ours. Errors: as `withSession`, LockHeld while somebody uses it. */
export function dropSpare(input: ProvisionInput): Promise<void> {
  return withLockedAdmin(input, async (admin) => {
    const found = await observeServer(admin, input.wanted);
    if (!isOurSpare(input.wanted, found)) return;
    await asMember(admin, input, found, () => drop(admin, input.wanted));
  });
}

function foreign({ name }: Wanted): OperatorError {
  const message = `database "${spareName(name)}", which restore drills need, exists already and does not carry our claim`;
  return new OperatorError('DatabaseConflict', `${message}; rename it, or take backup.drillSchedule out of the spec`);
}

/** Does something that needs the membership in the owner role. One that a killed run has left is taken back like ours. */
async function asMember(
  admin: Session,
  { wanted }: ProvisionInput,
  { owner, versionNumber }: FoundServer,
  work: () => Promise<void>,
): Promise<void> {
  const input = { wanted, verifier: '', versionNumber };
  const isNeeded = owner?.usable !== true;
  if (isNeeded) await admin.query(adminSql('grantOwner', input));
  try {
    await work();
  } finally {
    if (isNeeded || owner.granted) await admin.query(adminSql('revokeOwner', input));
  }
}

async function mark(admin: Session, { wanted }: ProvisionInput, drill: string): Promise<void> {
  const spare = quoteIdentifier(spareName(wanted.name));
  await admin.query(actAsOwnerSql(wanted));
  await admin.query(`revoke all on database ${spare} from public`);
  await admin.query(
    `comment on database ${spare} is ${quoteLiteral(formatSpareMarker({ claim: wanted.claim, drill }))}`,
  );
}

/** As the owner, and outside of a transaction, as PostgreSQL wants it. */
async function drop(admin: Session, { name }: Wanted): Promise<void> {
  await admin.query(`set role ${quoteIdentifier(name)}`);
  try {
    await admin.query(`drop database if exists ${quoteIdentifier(spareName(name))}`);
  } finally {
    await admin.query('reset role');
  }
}
