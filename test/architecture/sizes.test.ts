import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

interface Sized {
  where: string;
  lines: number;
}

/** Every function with a block body below a product's folder, tests left out. */
function functionsOf(product: string): Sized[] {
  const files = globSync(`${product}/**/*.ts`, { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts'));
  return files.flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2024, true);
    const found: Sized[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && ts.isBlock(node.body)) {
        const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
        const last = source.getLineAndCharacterOfPosition(node.end).line;
        found.push({ where: `${file}:${first + 1}`, lines: last - first + 1 });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}

test.for(['homeserver', 'operator'])('nine of ten functions of %s have at most 20 lines', (product) => {
  const sizes = functionsOf(product).sort((a, b) => b.lines - a.lines);
  const p90 = sizes[Math.floor(sizes.length * 0.1)]?.lines;
  const longest = sizes.slice(0, 10).map(({ where, lines }) => `${lines} ${where}`);
  expect(p90, `the longest:\n${longest.join('\n')}`).toBeLessThanOrEqual(20);
});
