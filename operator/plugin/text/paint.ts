const CODES = { good: 32, busy: 33, bad: 31, strong: 1, faint: 2 } as const;

export type Style = keyof typeof CODES;

/** Puts a text into a colour, or leaves it as it is where colours are not wanted. */
export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;

export const coloured: Paint = (style, text) => (text === '' ? '' : `\u001b[${CODES[style]}m${text}\u001b[0m`);

/** Without what a terminal would act on: messages and logs come from elsewhere. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is taken out
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}
