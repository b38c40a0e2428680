import * as z from 'zod';
import type { Session } from './connect.ts';
import type { FoundInside } from './database-facts.ts';

/** Relations of people: what is PostgreSQL's, an extension's or the ledger's does not count. */
const INSIDE = `select
    (select count(*)::integer from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname not in ('information_schema', 'matrix_operator')
        and n.nspname !~ '^pg_'
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')) as user_tables,
    to_regclass('matrix_operator.owner') is not null as has_owner,
    (to_regclass('matrix_operator.owner') is not null and to_regclass('matrix_operator.signing_key') is not null
      and exists (select from pg_attribute where attrelid = to_regclass('matrix_operator.keyring')
        and attname = 'restarted')
      and to_regclass('matrix_operator.upgrade') is not null) as has_ledger`;
const LAST_OWNER = `select claim::text as claim, server_name from matrix_operator.owner
  order by taken_at desc, claim limit 1`;

const InsideRow = z.object({ user_tables: z.int(), has_owner: z.boolean(), has_ledger: z.boolean() });
const OwnerRow = z.object({ claim: z.string(), server_name: z.string() });

/** Looks into the database of a session, as the tenant. */
export async function observeInside(session: Session): Promise<FoundInside> {
  const facts = InsideRow.parse((await session.query(INSIDE))[0]);
  const { user_tables: userTables, has_owner: hasOwner, has_ledger: hasLedger } = facts;
  // A ledger of an older operator, which lacks columns, tells its owner all the same.
  const [row] = hasOwner ? await session.query(LAST_OWNER) : [];
  if (row === undefined) return { userTables, hasLedger, lastOwner: undefined };
  const { claim, server_name: serverName } = OwnerRow.parse(row);
  return { userTables, hasLedger, lastOwner: { claim, serverName } };
}
