import * as z from 'zod';
import { UpgradePlan } from '../api/upgrade-status.ts';
import { withSession } from '../database/sessions.ts';
import type { DatabaseLogin } from '../database/connect.ts';
import type { ServingFacts } from '../database/serving-facts.ts';
import { SERVES, Serves, readServingFacts } from '../database/serving-facts.ts';
import type { UpgradeRecord } from './plan-upgrade.ts';

const ms = z
  .number()
  .nullable()
  .transform((found) => found ?? undefined);
const Record = z.object({ plan: UpgradePlan, accepted_at: z.number(), good_since: ms, verified_at: ms });
const Row = z.object({ record: Record });
const Facts = Serves.extend({ record: Record.nullable() });

const RECORD = `json_build_object('plan', plan, 'accepted_at', floor(extract(epoch from accepted_at) * 1000)::float8,
  'good_since', floor(extract(epoch from good_since) * 1000)::float8,
  'verified_at', floor(extract(epoch from verified_at) * 1000)::float8) as record`;
/** One statement, because a round trip costs more than what it asks for. */
const FACTS = `select ${SERVES}, (select ${RECORD} from matrix_operator.upgrade)`;
/** Gives back the row as it is then; nothing when somebody else has just made it. */
const ACCEPT = `with accepted as (insert into matrix_operator.upgrade as u (plan) values ($1::jsonb)
    on conflict (only_row) do update set plan = excluded.plan, accepted_at = now(), good_since = null, verified_at = null
    where u.plan ->> 'id' <> excluded.plan ->> 'id' returning *)
  select ${RECORD} from (select * from accepted
    union all select * from matrix_operator.upgrade where not exists (select from accepted)) r`;
const GOOD = `update matrix_operator.upgrade set good_since = now()
  where plan ->> 'id' = $1 and good_since is null and verified_at is null`;
const NOT_GOOD = `update matrix_operator.upgrade set good_since = null
  where plan ->> 'id' = $1 and good_since is not null and verified_at is null`;
const VERIFIED = `update matrix_operator.upgrade set verified_at = now()
  where plan ->> 'id' = $1 and verified_at is null and good_since is not null`;

/** What the database says of the homeserver, and what it remembers of the last plan. */
export interface UpgradeFacts extends ServingFacts {
  readonly record: UpgradeRecord | undefined;
}

/** Reads both in one session. Errors: as `withSession`. */
export function readUpgradeFacts(login: DatabaseLogin): Promise<UpgradeFacts> {
  return withSession(login, async (session) => {
    const { record, ...serves } = Facts.parse((await session.query(FACTS))[0]);
    const serving = await readServingFacts(session, serves);
    return { ...serving, record: record === null ? undefined : readRecord(record) };
  });
}

function readRecord(record: z.infer<typeof Record>): UpgradeRecord {
  const { plan, accepted_at: acceptedAt, good_since: goodSince, verified_at: verifiedAt } = record;
  return { plan, acceptedAt, goodSince, verifiedAt };
}

/**
 * Remembers that work on a plan begins; nothing happens if it is the one that is remembered. Gives back what is remembered
 * then, undefined when somebody else wrote it in the same moment.
 */
export function acceptPlan(login: DatabaseLogin, plan: UpgradePlan): Promise<UpgradeRecord | undefined> {
  return withSession(login, async (session) => {
    const [row] = await session.query(ACCEPT, [JSON.stringify(plan)]);
    return row === undefined ? undefined : readRecord(Row.parse(row).record);
  });
}

/** Remembers since when the version of the plan serves well, or that it does not. */
export function noteGood(login: DatabaseLogin, planId: string, isGood: boolean): Promise<void> {
  return write(login, isGood ? GOOD : NOT_GOOD, planId);
}

/** Remembers that the version of the plan served well for long enough. */
export function noteVerified(login: DatabaseLogin, planId: string): Promise<void> {
  return write(login, VERIFIED, planId);
}

function write(login: DatabaseLogin, text: string, value: string): Promise<void> {
  return withSession(login, async (session) => {
    await session.query(text, [value]);
  });
}
