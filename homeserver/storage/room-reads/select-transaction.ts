import type { Queryable } from '../database.ts';

/** What a client calls one of its sends by; the room and type are part of the request's path. */
export interface TransactionName {
  readonly deviceNo: number;
  readonly txnId: string;
  readonly roomId: string;
  readonly type: string;
}

const TEXT = `
select e.event_id, coalesce(e.position, 0) as position
from transactions t
join rooms r on r.room_no = t.room_no
join event_types y on y.type_no = t.type_no
join events e on e.event_no = t.event_no
where t.device_no = $1 and t.txn_id = $2 and r.room_id = $3 and y.type = $4`;

/** The event that a transaction has made, with its position; undefined when it has made none. */
export async function selectTransactionEvent(
  db: Queryable,
  name: TransactionName,
): Promise<{ event_id: string; position: number } | undefined> {
  const rows = await db.query<{ event_id: string; position: number }>({
    name: 'transactions_select_event',
    text: TEXT,
    values: [name.deviceNo, name.txnId, name.roomId, name.type],
  });
  return rows[0];
}
