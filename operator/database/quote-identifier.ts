/** Longest name that PostgreSQL keeps; it would cut a longer one silently, and then it is another name. */
const MAX_BYTES = 63;

/** Quotes a name for SQL text. Throws a RangeError for what no name can be: empty, over 63 bytes, or with a NUL. */
export function quoteIdentifier(name: string): string {
  const bytes = Buffer.byteLength(name, 'utf8');
  if (bytes === 0 || bytes > MAX_BYTES || name.includes('\0')) {
    throw new RangeError('an identifier has 1 to 63 bytes and no NUL');
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a value for statements that take no parameters. Throws a RangeError for a NUL. */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) throw new RangeError('a literal has no NUL');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  // With E'' a backslash means the same whatever standard_conforming_strings says.
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
