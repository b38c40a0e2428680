import { globSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { readOperations, SPEC_APIS } from './spec-operations.ts';
import type { SpecOperation } from './spec-operations.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const Route = z.looseObject({
  operationId: z.string(),
  alsoServes: z.string().optional(),
  method: z.string(),
  path: z.string(),
  aliases: z.array(z.string()).optional(),
  auth: z.string(),
  rateLimit: z.string(),
});
/** A served endpoint, as a list in a routes.ts has it. */
export type Route = z.infer<typeof Route>;

/** Every endpoint of every `routes.ts` below homeserver/http but that of Synapse's admin API. */
export async function servedRoutes(): Promise<Route[]> {
  const files = globSync('homeserver/http/**/routes.ts', { cwd: ROOT, exclude: ['homeserver/http/admin/*'] });
  const modules = await Promise.all(files.map((file): Promise<unknown> => import(join(ROOT, file))));
  return modules.flatMap((module) => Object.values(z.record(z.string(), z.array(Route)).parse(module)).flat());
}

/** Whether a route serves the operation; paths are compared without the names of their parameters. */
export function serves(route: Route, operation: SpecOperation): boolean {
  if (route.operationId !== operation.operationId && route.alsoServes !== operation.operationId) return false;
  if (route.method !== operation.method) return false;
  return [route.path, ...(route.aliases ?? [])].some((path) => shapeOf(path) === shapeOf(operation.path));
}

function shapeOf(path: string): string {
  return path.replaceAll(/:\w+/g, ':');
}

export interface Coverage {
  readonly operation: SpecOperation;
  readonly isImplemented: boolean;
}

/** Each operation of the specification with whether a route serves it. */
export async function specCoverage(): Promise<Coverage[]> {
  const routes = await servedRoutes();
  return readOperations().map((operation) => ({
    operation,
    isImplemented: routes.some((route) => serves(route, operation)),
  }));
}

/** `N/212 operations`. */
export function totalOf(coverage: readonly Coverage[]): string {
  return `${coverage.filter((found) => found.isImplemented).length}/${coverage.length} operations`;
}

/** One line for each operation and the total. */
export function coverageReport(coverage: readonly Coverage[]): string {
  const lines = coverage.map(({ operation: { api, operationId, method, path }, isImplemented }) => {
    const state = isImplemented ? 'implemented' : 'missing    ';
    return `${state} ${api.padEnd(19)} ${operationId.padEnd(42)} ${method.padEnd(6)} ${path}`;
  });
  return `${[...lines, totalOf(coverage)].join('\n')}\n`;
}

/** The reference page. */
export function coveragePage(coverage: readonly Coverage[], head: string): string {
  const sections = SPEC_APIS.map((api) => {
    const found = coverage.filter(({ operation }) => operation.api === api);
    const rows = found.map(
      ({ operation: { operationId, method, path }, isImplemented }) =>
        `| ${operationId} | ${isImplemented ? 'yes' : 'no'} | ${method} \`${path}\` |`,
    );
    const table = ['| Operation | Implemented | Request |', '|---|---|---|', ...rows].join('\n');
    return `## ${api}: ${totalOf(found)}\n\n${table}\n`;
  });
  const about = `The operations of the Matrix specification v1.19 that a homeserver has to do with, and which of them this one serves, by its routes. Those of the application-service and push-gateway APIs are served by others and called by the homeserver. All paths without a "yes" answer M_UNRECOGNIZED. The same as text: \`npm run coverage:spec\`.`;
  return `# Specification coverage: ${totalOf(coverage)}\n\n${head}\n\n${about}\n\n${sections.join('\n')}`;
}
