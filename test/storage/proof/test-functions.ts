import type pg from 'pg';

/**
 * Puts a function with pauses around the product's own: before the lock, and while it is held, just before the commit. Only in
 * the test's database; the product's function runs as it is, under another name.
 */
export async function addPauses(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ args: string; inputs: string[]; outputs: string[] }>(`
    select pg_get_function_arguments(p.oid) as args,
      (select array_agg(n order by i) from unnest(p.proargnames, p.proargmodes) with ordinality a (n, m, i) where m = 'i') as inputs,
      (select array_agg(n order by i) from unnest(p.proargnames, p.proargmodes) with ordinality a (n, m, i) where m = 'o') as outputs
    from pg_proc p where p.proname = 'write_batch_1'`);
  const [found] = rows;
  if (found === undefined) throw new Error('there is no batch function');
  const { args, inputs, outputs } = found;
  await client.query('alter function write_batch_1 rename to write_batch_product');
  await client.query(`create function write_batch_1(${args}) language plpgsql as $$
    begin
      if random() < 0.3 then perform pg_sleep(random() * 0.03); end if;
      select ${outputs.map((name) => `w.${name}`).join(', ')} into ${outputs.join(', ')}
      from write_batch_product(${inputs.join(', ')}) w;
      if random() < 0.3 then perform pg_sleep(random() * 0.02); end if;
    end $$`);
}

/** The control: the same function without its lock, with positions from a sequence, as one would write it without thinking. */
export async function breakOrder(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ text: string }>(
    "select pg_get_functiondef(p.oid) as text from pg_proc p where p.proname = 'write_batch_1'",
  );
  const text = rows[0]?.text ?? '';
  const broken = text
    .replace('perform pg_advisory_xact_lock(7001);', 'null;')
    .replace('v_base := previous;', "v_base := nextval('control_numbers');");
  if (broken.length === text.length || !broken.includes('control_numbers') || broken.includes('7001')) {
    throw new Error('the control could not be made: the function reads differently now');
  }
  await client.query('create sequence control_numbers increment by 1000 start with 1000');
  await client.query(broken);
}
