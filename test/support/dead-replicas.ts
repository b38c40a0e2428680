/** SQL: to the database every replica is dead from then on, also after its next heartbeat. */
export const DEAD_REPLICAS = `
create function no_heartbeat() returns trigger language plpgsql as 'begin new.heartbeat := 0; return new; end';
create trigger no_heartbeat before update on ops.replica for each row execute function no_heartbeat();
update ops.replica set heartbeat = 0`;
