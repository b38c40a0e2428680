/**
 * auth_chain_links: a row says that from a place in a chain of auth events on, another chain is reached. Written with
 * auth_chains and never changed; read by the pipeline when it resolves states. A few rows a state event at most; purging a
 * room deletes them.
 */
import type { ChainLink } from '../../room/state-resolution/chain-cover.ts';
import type { Queryable } from '../database.ts';

const REACHED = `
with recursive reached(chain) as (
  select w.chain from unnest($1::int8[]) w (chain)
  union
  select l.to_chain from reached r join auth_chain_links l on l.chain = r.chain
)
select l.chain, l.seq, l.to_chain, l.to_seq from reached r join auth_chain_links l on l.chain = r.chain`;

/** All links of the chains and of all chains that those lead to. */
export async function selectAuthChainLinks(db: Queryable, chains: readonly number[]): Promise<ChainLink[]> {
  const rows = await db.query<{ chain: number; seq: number; to_chain: number; to_seq: number }>({
    name: 'auth_chain_links_select_reached',
    text: REACHED,
    values: [chains],
  });
  return rows.map(({ chain, seq, to_chain: toChain, to_seq: toSeq }) => ({ chain, seq, toChain, toSeq }));
}

const INSERT = `
insert into auth_chain_links (chain, seq, to_chain, to_seq)
select * from unnest($1::int8[], $2::int4[], $3::int8[], $4::int4[])`;

export async function insertAuthChainLinks(db: Queryable, links: readonly ChainLink[]): Promise<void> {
  await db.query({
    name: 'auth_chain_links_insert',
    text: INSERT,
    values: [
      links.map(({ chain }) => chain),
      links.map(({ seq }) => seq),
      links.map(({ toChain }) => toChain),
      links.map(({ toSeq }) => toSeq),
    ],
  });
}
