import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** The versions in which clients find the endpoints that are served; those that are not answer M_UNRECOGNIZED. */
const VERSIONS = [
  'r0.6.1',
  'v1.1',
  'v1.2',
  'v1.3',
  'v1.4',
  'v1.5',
  'v1.6',
  'v1.7',
  'v1.8',
  'v1.9',
  'v1.10',
  'v1.11',
  'v1.12',
];

/** Parts of later versions that are served, by the names under which clients look for them. */
const FEATURES = { 'uk.tcpip.msc4133.stable': true };

/** Spec: client-server API, "API Versions" (v1.19). */
export const getVersions = endpoint({
  operationId: 'getVersions',
  method: 'GET',
  path: '/_matrix/client/versions',
  auth: 'none',
  rateLimit: 'none',
  handle: (_app: App) => Promise.resolve({ versions: VERSIONS, unstable_features: FEATURES }),
});
