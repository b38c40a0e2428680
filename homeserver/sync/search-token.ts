import { MatrixError } from '../errors.ts';
import type { SearchGroup, SearchRequest, SearchToken } from './search-page.ts';

const TOKEN = /^(rank|recent)_(\d{1,16})_(\d{1,16})(?:_(room_id|sender)_(.+))?$/u;

export function formatSearchToken(order: SearchRequest['order'], { upTo, done, group }: SearchToken): string {
  const place = `${order}_${upTo}_${done}`;
  return group === undefined ? place : `${place}_${group.key}_${group.name}`;
}

/** Errors: M_INVALID_PARAM for a token of another order, or of elsewhere. */
export function parseSearchToken(text: string, order: SearchRequest['order']): SearchToken {
  const match = TOKEN.exec(text);
  if (match?.[1] !== order) throw new MatrixError('M_INVALID_PARAM', 'next_batch: belongs to another search.');
  const [, , upTo, done, key, name = ''] = match;
  const group: SearchGroup | undefined = key === 'room_id' || key === 'sender' ? { key, name } : undefined;
  return { upTo: Number(upTo), done: Number(done), group };
}
