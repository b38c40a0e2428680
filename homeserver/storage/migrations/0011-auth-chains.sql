-- expand. New tables only; a few ms. Oldest program that still works: any.
create table auth_chains (
  event_no int8 primary key,
  chain int8 not null,
  seq int4 not null
);
comment on table auth_chains is 'Place of a state event in the chains that cover its room''s auth events. Made when states are first resolved that need it.';
comment on column auth_chains.event_no is 'The state event.';
comment on column auth_chains.chain is 'Its chain: the number of the chain''s first event.';
comment on column auth_chains.seq is 'Its place in the chain, from 1; it reaches over auth events all before it.';
create unique index auth_chains_place on auth_chains (chain, seq);

create table auth_chain_links (
  chain int8 not null,
  seq int4 not null,
  to_chain int8 not null,
  to_seq int4 not null,
  primary key (chain, seq, to_chain)
);
comment on table auth_chain_links is 'From a place in a chain on, its events reach a place in another chain.';
comment on column auth_chain_links.chain is 'The chain that the link leads from.';
comment on column auth_chain_links.seq is 'The first place that the link holds for.';
comment on column auth_chain_links.to_chain is 'The chain that it leads to.';
comment on column auth_chain_links.to_seq is 'The last place that is reached there.';
