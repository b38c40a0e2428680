import { expect, test } from 'vitest';
import { serves, servedRoutes, specCoverage, totalOf } from '../support/spec-coverage.ts';
import type { Route } from '../support/spec-coverage.ts';
import { specDataFolder } from '../support/spec-data.ts';
import { extractOperations, readOperations } from '../support/spec-operations.ts';
import type { SpecOperation } from '../support/spec-operations.ts';

const operations = readOperations();
const routes = await servedRoutes();

/** What the specification calls it, or undefined for an endpoint of its own. */
function operationOf(route: Route): SpecOperation | undefined {
  return operations.find((operation) => serves(route, operation));
}

/** Where a token is optional, what it is left out for (proof by mail, say) need not be there. */
function authFits(route: Route, operation: SpecOperation): boolean {
  // The data says "signedRequest", which only servers make; its text speaks of the user who asks.
  if (operation.operationId === 'getRoomSummary') return route.auth === 'user';
  return route.auth === operation.auth || (operation.auth === 'optional' && ['none', 'user'].includes(route.auth));
}

test('the operations are the 212 that concern a homeserver, each once', () => {
  const count = (api: SpecOperation['api']) => operations.filter((operation) => operation.api === api).length;
  expect([count('client-server'), count('server-server'), count('application-service'), count('push-gateway')]).toEqual(
    [166, 36, 9, 1],
  );
  expect(new Set(operations.map(({ api, operationId }) => `${api} ${operationId}`)).size).toBe(212);
});

test('the operations are those of the specification, where its data is at hand', () => {
  const folder = specDataFolder();
  expect(folder === undefined ? operations : extractOperations(folder)).toEqual(operations);
});

test('every endpoint has the name, method and path of an operation of the specification', () => {
  const unknown = routes.filter((route) => operationOf(route) === undefined);
  expect(unknown.map(({ operationId, method, path }) => `${operationId} ${method} ${path}`)).toEqual([]);
});

test('every endpoint asks for the token that the specification asks for', () => {
  const wrong = routes.filter((route) => {
    const operation = operationOf(route);
    return operation !== undefined && !authFits(route, operation);
  });
  expect(wrong.map((route) => `${route.operationId} ${route.auth}`)).toEqual([]);
});

test('every endpoint that the specification limits in rate has a limit', () => {
  const unlimited = routes.filter((route) => operationOf(route)?.rateLimited === true && route.rateLimit === 'none');
  expect(unlimited.map((route) => route.operationId)).toEqual([]);
});

test('no operation is served twice and the total counts each', async () => {
  const coverage = await specCoverage();
  const served = coverage.filter(({ isImplemented }) => isImplemented).length;
  const shared = routes.filter((route) => route.alsoServes !== undefined).length;
  expect(served).toBe(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size + shared);
  expect(totalOf(coverage)).toBe(`${served}/212 operations`);
});
