import { stringify } from 'yaml';
import * as z from 'zod';
import { ChartValues } from './chart-values.ts';

const Node = z.looseObject({
  description: z.string().optional(),
  default: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
});
type Node = z.infer<typeof Node>;

const WIDTH = 118;

/** The JSON schema by which Helm refuses values that the chart does not know. */
export function valuesSchema(): string {
  const schema = root();
  // Helm puts what subcharts share there.
  const properties = { ...schema.properties, global: { type: 'object' } };
  return `${JSON.stringify({ ...schema, properties }, null, 2)}\n`;
}

function root(): Node {
  return Node.parse(z.toJSONSchema(ChartValues, { target: 'draft-7', io: 'input' }));
}

/** values.yaml: every value with its default, below what it means. */
export function valuesYaml(head: string): string {
  return `# ${head}\n\n${valueLines(root(), '').join('\n')}\n`;
}

function valueLines(node: Node, indent: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child], i) => {
    const value = Node.parse(child);
    const gap = i > 0 && indent === '' ? [''] : [];
    const comment = wrap(value.description ?? '', WIDTH - indent.length).map((line) => `${indent}# ${line}`);
    if (value.properties !== undefined && value.description === undefined) {
      return [...gap, `${indent}${name}:`, ...valueLines(value, `${indent}  `)];
    }
    const lines = stringify({ [name]: value.default }, { compat: 'yaml-1.1' })
      .trimEnd()
      .split('\n');
    return [...gap, ...comment, ...lines.map((line) => `${indent}${line}`)];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.filter((line) => line !== '');
}

/** docs/reference/chart.md: every value in a table. */
export function chartPage(head: string): string {
  const rows = pageRows(root(), '');
  const table = ['| Value | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
  return `# Values of the Helm chart\n\n${head}\n\nUnknown values are refused by their name.\n\n${table}\n`;
}

function pageRows(node: Node, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const value = Node.parse(child);
    const own = path === '' ? name : `${path}.${name}`;
    if (value.properties !== undefined && value.description === undefined) return pageRows(value, own);
    return [`| \`${own}\` | \`${JSON.stringify(value.default)}\` | ${value.description ?? ''} |`];
  });
}

/** Every value by its path. */
export function valuePaths(): string[] {
  return pageRows(root(), '').map((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? '');
}
