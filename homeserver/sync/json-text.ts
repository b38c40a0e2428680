/** JSON text: whole, or in pieces where some are bytes that many are given. */
export type JsonText = string | Buffer | readonly JsonPiece[];

export type JsonPiece = string | Buffer;

/** The texts one after another with a separator between them: one text, unless there are bytes among them. */
export function joinJson(texts: readonly JsonText[], separator = ''): string | readonly JsonPiece[] {
  if (texts.every((text) => typeof text === 'string')) return texts.join(separator);
  const pieces: JsonPiece[] = [];
  for (const [i, text] of texts.entries()) {
    if (i > 0 && separator !== '') addPiece(pieces, separator);
    for (const piece of piecesOf(text)) addPiece(pieces, piece);
  }
  return pieces;
}

/** Strings that follow each other become one. */
function addPiece(pieces: JsonPiece[], piece: JsonPiece): void {
  const last = pieces.at(-1);
  if (typeof piece === 'string' && typeof last === 'string') pieces[pieces.length - 1] = last + piece;
  else pieces.push(piece);
}

export function piecesOf(text: JsonText): readonly JsonPiece[] {
  return typeof text === 'string' || Buffer.isBuffer(text) ? [text] : text;
}
