import type { QueryResultRow } from 'pg';

/** One named prepared statement with its values. One name, one text; no text is ever put together. */
export interface Statement {
  /** `<table>_<verb>_<what>`, at most 63 bytes, unique in the program. */
  readonly name: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** Anything a statement can run on: the readers' pool or one connection inside a transaction. */
export interface Queryable {
  query<Row extends QueryResultRow>(statement: Statement): Promise<Row[]>;
}

/** The database as one replica sees it. */
export interface Database extends Queryable {
  /** Runs `work` in one transaction on one connection; a throw rolls back. Statements may be issued without awaiting each other. */
  transaction<T>(work: (db: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
