import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENTS = ['README.md', 'docs/*.md', 'docs/runbooks/*.md', 'examples/*/README.md'];

/** A command that a page tells its reader to run. */
export interface DocumentedCommand {
  readonly document: string;
  /** As it stands there, without the comment behind it. */
  readonly command: string;
}

/**
 * Every command of the pages for users: each line of a fenced block of shell, or with a prompt in another block, and
 * what stands as `kubectl …` or `helm …` in a sentence.
 */
export function documentedCommands(): DocumentedCommand[] {
  const documents = globSync(DOCUMENTS, { cwd: ROOT }).sort((a, b) => (a < b ? -1 : 1));
  return documents.flatMap((document) =>
    commandsIn(readFileSync(join(ROOT, document), 'utf8')).map((command) => ({ document, command })),
  );
}

export function commandsIn(page: string): string[] {
  const fences = [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)];
  const fenced = fences.flatMap(([, language = '', block = '']) => commandsOfBlock(language, block));
  const sentences = page.replace(/^```[\s\S]*?^```/gm, '');
  // With what it works on; `kubectl scale` alone is the name of a command.
  const inline = [...sentences.matchAll(/`((?:kubectl|helm) [^\s`]+ [^`]+)`/g)].map(([, command = '']) => command);
  return [...new Set([...fenced, ...inline])];
}

function commandsOfBlock(language: string, block: string): string[] {
  const lines = block.replaceAll('\\\n', ' ').split('\n');
  const prompted = lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  const isShell = ['sh', 'bash', 'shell', 'console'].includes(language);
  const told = prompted.length > 0 || !isShell ? prompted : lines;
  return told
    .map((line) => line.replace(/\s+#\s.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
