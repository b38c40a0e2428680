/** A line of one of several logs. */
export interface LogLine {
  /** Which log it is of. */
  readonly source: string;
  /** As the log has it, with the time that Kubernetes put before it taken off. */
  readonly line: string;
  /** RFC 3339 with nanoseconds: texts compare as times do. Empty where there is none. */
  readonly time: string;
}

export interface Source {
  readonly name: string;
  readonly lines: AsyncIterable<string>;
}

/** A line as Kubernetes gives it with `timestamps=true`: the time, a space, the line. */
function split(source: string, text: string): LogLine {
  const gap = text.indexOf(' ');
  const time = gap < 0 ? text : text.slice(0, gap);
  if (!/^\d{4}-\d\d-\d\dT/.test(time)) return { source, line: text, time: '' };
  return { source, line: gap < 0 ? '' : text.slice(gap + 1), time };
}

/** Logs that end, by time; one line of each is held. */
export async function* mergeByTime(sources: readonly Source[]): AsyncGenerator<LogLine> {
  const readers = sources.map(({ name, lines }) => ({ name, iterator: lines[Symbol.asyncIterator]() }));
  const next = async ({ name, iterator }: (typeof readers)[number]): Promise<LogLine | undefined> => {
    const result = await iterator.next();
    return result.done === true ? undefined : split(name, result.value);
  };
  const heads = await Promise.all(readers.map(next));
  for (;;) {
    const at = earliest(heads);
    const head = heads[at];
    const reader = readers[at];
    if (head === undefined || reader === undefined) return;
    yield head;
    heads[at] = await next(reader);
  }
}

function earliest(heads: readonly (LogLine | undefined)[]): number {
  let best = -1;
  heads.forEach((head, i) => {
    if (head !== undefined && (best < 0 || head.time < (heads[best]?.time ?? ''))) best = i;
  });
  return best;
}

/** Logs that go on, as their lines come; ends when all have ended. */
export async function* mergeAsTheyCome(sources: readonly Source[]): AsyncGenerator<LogLine> {
  const waiting = new Map<number, Promise<{ at: number; line: LogLine | undefined }>>();
  const iterators = sources.map(({ lines }) => lines[Symbol.asyncIterator]());
  const ask = (at: number) => {
    const read = async () => {
      const result = await iterators[at]?.next();
      const ended = result === undefined || result.done === true;
      return { at, line: ended ? undefined : split(sources[at]?.name ?? '', result.value) };
    };
    waiting.set(at, read());
  };
  sources.forEach((_source, at) => ask(at));
  while (waiting.size > 0) {
    const { at, line } = await Promise.race(waiting.values());
    waiting.delete(at);
    if (line === undefined) continue;
    yield line;
    ask(at);
  }
}

/** More than any line that our programs write; what is longer is cut into several. */
const MAX_LINE = 1024 * 1024;

/** Bytes as lines, without their ends. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    if (rest.length <= MAX_LINE) continue;
    yield rest;
    rest = '';
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
