/** JSON text: whole, or in pieces where some are bytes that many are given. */
export type JsonText = string | Buffer | readonly JsonPiece[];

export type JsonPiece = string | Buffer;

/** Strings stay apart that are longer together: V8 takes memory for long ones apart, and takes long to. */
const MOST_IN_ONE = 65_536;

/** The texts one after another with a separator between them: one text, unless it is long or there are bytes in it. */
export function joinJson(texts: readonly JsonText[], separator = ''): string | readonly JsonPiece[] {
  const pieces: JsonPiece[] = [];
  for (const [i, text] of texts.entries()) {
    if (i > 0 && separator !== '') addPiece(pieces, separator);
    for (const piece of piecesOf(text)) addPiece(pieces, piece);
  }
  const [first = ''] = pieces;
  return pieces.length <= 1 && typeof first === 'string' ? first : pieces;
}

/** Strings that follow each other become one, by `+`: that copies nothing until they are sent. */
function addPiece(pieces: JsonPiece[], piece: JsonPiece): void {
  const last = pieces.at(-1);
  const joins = typeof piece === 'string' && typeof last === 'string' && last.length + piece.length <= MOST_IN_ONE;
  if (joins) pieces[pieces.length - 1] = last + piece;
  else pieces.push(piece);
}

export function piecesOf(text: JsonText): readonly JsonPiece[] {
  return typeof text === 'string' || Buffer.isBuffer(text) ? [text] : text;
}
