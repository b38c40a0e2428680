/**
 * reports: a row is something that a user has reported. Written by the three report endpoints, read by those who run the server.
 * Grows by a row a report, up to a limit for each reporter; deleted by those who run the server.
 */
import type { Queryable } from '../database.ts';

export interface NewReport {
  /** Unix ms. */
  at: number;
  reporterNo: number;
  roomNo?: number;
  eventNo?: number;
  userNo?: number;
  reason: string;
}

// The limit is checked in the statement; a race may let a few more in, which does no harm.
const INSERT = `
insert into reports (at, reporter_no, room_no, event_no, user_no, reason)
select $1, $2, $3, $4, $5, $6
where (select count(*) from (select 1 from reports where reporter_no = $2 limit $7) r) < $7
returning report_no`;

/** False when the reporter has `atMost` reports already. */
export async function insertReport(db: Queryable, report: NewReport, atMost: number): Promise<boolean> {
  const values = [
    report.at,
    report.reporterNo,
    report.roomNo ?? null,
    report.eventNo ?? null,
    report.userNo ?? null,
    report.reason,
    atMost,
  ];
  return (await db.query({ name: 'reports_insert', text: INSERT, values })).length === 1;
}
