/** One page of ListObjectsV2. */
export interface ListPage {
  readonly names: readonly string[];
  readonly folders: readonly string[];
  /** For the next page; undefined at the end. */
  readonly next: string | undefined;
}

/** Reads the part of the answer that is needed; undefined when it is not one. Names come URL-encoded (`encoding-type=url`). */
export function parseListPage(xml: string): ListPage | undefined {
  if (!xml.includes('<ListBucketResult')) return undefined;
  const folders = blocks(xml, 'CommonPrefixes').flatMap((block) => blocks(block, 'Prefix'));
  const names = blocks(xml, 'Contents').flatMap((block) => blocks(block, 'Key'));
  const isTruncated = blocks(xml, 'IsTruncated')[0] === 'true';
  const next = blocks(xml, 'NextContinuationToken')[0];
  if (isTruncated && next === undefined) return undefined;
  return {
    names: names.map(decode),
    folders: folders.map(decode),
    next: isTruncated ? unescape(next ?? '') : undefined,
  };
}

function blocks(xml: string, tag: string): string[] {
  return [...xml.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map((match) => match[1] ?? '');
}

function decode(text: string): string {
  return decodeURIComponent(unescape(text).replaceAll('+', ' '));
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? '');
}
