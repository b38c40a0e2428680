/** Words of one text that are kept, and letters of one word. */
const MAX_WORDS = 32;
const MAX_LETTERS = 64;

const WORD = /[\p{L}\p{N}]+/gu;
/** Scripts that write words without spaces between them: a search may begin anywhere. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u;

/**
 * A text as it is compared: small letters without accents and other marks, so that "Zoë" and "ZOE" are the same whatever the
 * database's locale knows of letters.
 */
export function searchKey(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().normalize('NFC').trim();
}

/** The words of a text, each once. */
export function searchWords(text: string): string[] {
  const words = searchKey(text).match(WORD) ?? [];
  return [...new Set(words.map((word) => firstLetters(word, MAX_LETTERS)))].slice(0, MAX_WORDS);
}

/** What is found of a text: its words and, where a script has no spaces, their ends. */
export function indexWords(text: string): string[] {
  return [...new Set(searchWords(text).flatMap((word) => (UNSPACED.test(word) ? endsOf(word) : [word])))];
}

function endsOf(word: string): string[] {
  const letters = [...word];
  return letters.map((_, i) => letters.slice(i).join(''));
}

function firstLetters(word: string, count: number): string {
  return word.length <= count ? word : [...word].slice(0, count).join('');
}
