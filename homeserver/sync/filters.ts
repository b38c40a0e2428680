import { createHash } from 'node:crypto';
import { MatrixError } from '../errors.ts';
import { selectFilter, upsertFilter } from '../storage/tables/filters.ts';
import { compileSyncFilter } from './compiled-filter.ts';
import type { CompiledFilter } from './compiled-filter.ts';
import type { SyncContext } from './context.ts';
import { parseFilterText, SyncFilter } from './filter-schema.ts';

const MAX_FILTERS_PER_USER = 1000;
const MAX_FILTER_BYTES = 65_536;
const FILTER_ID = /^\d{1,9}$/;

/** Stores a filter; the same filter has the same id. Errors: M_TOO_LARGE, M_LIMIT_EXCEEDED (too many different ones). */
export async function storeFilter(ctx: SyncContext, userNo: number, filter: SyncFilter): Promise<string> {
  const json = JSON.stringify(filter);
  if (Buffer.byteLength(json) > MAX_FILTER_BYTES)
    throw new MatrixError('M_TOO_LARGE', `A filter may have ${MAX_FILTER_BYTES} bytes.`);
  const digest = createHash('sha256').update(json).digest();
  const filterNo = await upsertFilter(ctx.store.db, { userNo, digest, json }, MAX_FILTERS_PER_USER);
  if (filterNo === undefined)
    throw new MatrixError('M_LIMIT_EXCEEDED', `A user may store ${MAX_FILTERS_PER_USER} filters.`);
  return String(filterNo);
}

/** A stored filter as JSON text. Errors: M_NOT_FOUND. */
export async function loadFilter(ctx: SyncContext, userNo: number, filterId: string): Promise<string> {
  const json = FILTER_ID.test(filterId) ? await selectFilter(ctx.store.db, userNo, Number(filterId)) : undefined;
  if (json === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such filter.');
  return json;
}

/** The filter that a sync names: JSON when it begins with `{`, else an id; none lets everything pass. */
export async function resolveFilter(
  ctx: SyncContext,
  userNo: number,
  filter: string | undefined,
): Promise<CompiledFilter> {
  if (filter === undefined) return compileSyncFilter({});
  if (filter.startsWith('{')) return compileSyncFilter(parseFilterText(SyncFilter, filter));
  const key = `${userNo}/${filter}`;
  const known = ctx.sync.filters.get(key);
  if (known !== undefined) return known.compiled;
  const json = await loadFilter(ctx, userNo, filter).catch((cause: unknown) => {
    const isUnknown = cause instanceof MatrixError && cause.code === 'M_NOT_FOUND';
    throw isUnknown ? new MatrixError('M_INVALID_PARAM', 'filter: there is no such filter.', { cause }) : cause;
  });
  const compiled = compileSyncFilter(parseFilterText(SyncFilter, json));
  ctx.sync.filters.set(key, { compiled, bytes: 2000 + 4 * json.length });
  return compiled;
}
