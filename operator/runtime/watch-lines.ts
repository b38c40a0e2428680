import * as z from 'zod';
import { KubeError } from './kube-error.ts';
import { KubeObject } from './kube-object.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** etcd refuses objects over 1.5 MiB by default; JSON and managedFields make them larger. */
const MAX_LINE = 16 * 1024 * 1024;

const ApiStatus = z.looseObject({
  message: z.string().default(''),
  reason: z.string().default('Unknown'),
  code: z.int().default(500),
});
/** A bookmark has no name or uid, only a version. */
const Bookmark = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) });
const Line = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: KubeObject }),
  z.object({ type: z.literal('BOOKMARK'), object: Bookmark }),
  z.object({ type: z.literal('ERROR'), object: ApiStatus }),
]);

/** One line of a watch. An ERROR event is thrown as a KubeError; what is not JSON of that shape as a SyntaxError. */
export function parseWatchLine(line: string): WatchEvent {
  const parsed = Line.safeParse(JSON.parse(line));
  if (!parsed.success) throw new SyntaxError('unreadable watch event', { cause: parsed.error });
  const event = parsed.data;
  if (event.type === 'ERROR') throw new KubeError(event.object.code, event.object.reason, event.object.message);
  if (event.type !== 'BOOKMARK') return event;
  const { resourceVersion } = event.object.metadata;
  return { type: 'BOOKMARK', object: { metadata: { name: '', uid: '', resourceVersion } } };
}

/**
 * Cuts a byte stream into lines; `onBytes` is called for each chunk. What follows the last newline is dropped when the
 * stream ends: half a line is no event, and the next watch repeats it.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    onBytes();
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) throw new SyntaxError(`a watch event is longer than ${MAX_LINE} characters`);
    for (const line of lines) if (line !== '') yield line;
  }
}
