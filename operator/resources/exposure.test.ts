import { expect, test } from 'vitest';
import { ExposureSpec } from '../api/exposure-spec.ts';
import { endpointsOf } from './endpoints.ts';
import { exposureOf } from './exposure.ts';
import { httpRoutes } from './http-routes.ts';
import { ingress } from './ingress.ts';

const owner = { name: 'chat', namespace: 'ns', uid: 'uid' };
const spec = (serverName: string, exposure: object) => ({ serverName, exposure: ExposureSpec.parse(exposure) });

const HOSTS = [
  {
    name: 'without a host it is matrix.<serverName>, and the server name carries well-known',
    given: spec('example.org', { ingress: {} }),
    wanted: { host: 'matrix.example.org', wellKnownHost: 'example.org', wellKnownServer: 'matrix.example.org:443' },
  },
  {
    name: 'the port of the server name is no part of a host',
    given: spec('example.org:8448', { host: 'm.example.org', ingress: {} }),
    wanted: { host: 'm.example.org', wellKnownHost: 'example.org' },
  },
  {
    name: 'an address can carry no route for well-known',
    given: spec('192.0.2.1', { host: 'm.example.org', ingress: {} }),
    wanted: { wellKnownHost: undefined },
  },
  {
    name: 'External leaves well-known to others',
    given: spec('example.org', { ingress: {}, wellKnown: 'External' }),
    wanted: { wellKnownHost: undefined },
  },
  {
    name: 'a host alone tells the URL although nothing is routed',
    given: spec('example.org', { host: 'm.example.org' }),
    wanted: { baseUrl: 'https://m.example.org' },
  },
];

test.for(HOSTS)('$name', ({ given, wanted }) => {
  expect(exposureOf(given)).toMatchObject(wanted);
});

test('without ingress, gateway and host there is only the Service', () => {
  expect(exposureOf(spec('example.org', {}))).toBeUndefined();
  expect(exposureOf({ serverName: 'example.org', exposure: undefined })).toBeUndefined();
  expect(ingress(owner, spec('example.org', {}))).toBeUndefined();
  expect(httpRoutes(owner, spec('example.org', {}))).toEqual({ api: undefined, wellKnown: undefined });
});

test('one Ingress has both hosts, each with its own paths, and one certificate for both', () => {
  const manifest = ingress(owner, spec('example.org', { ingress: { className: 'nginx', annotations: { a: 'b' } } }));
  expect(manifest).toMatchObject({
    metadata: { name: 'chat', annotations: { a: 'b' } },
    spec: {
      ingressClassName: 'nginx',
      tls: [{ hosts: ['matrix.example.org', 'example.org'], secretName: 'chat-tls' }],
      rules: [
        { host: 'matrix.example.org', http: { paths: [{ path: '/_matrix', pathType: 'Prefix' }] } },
        { host: 'example.org', http: { paths: [{ path: '/.well-known/matrix' }] } },
      ],
    },
  });
});

test('a server name that is also the host has one rule with both paths', () => {
  const at = { host: 'example.org' };
  const manifest = ingress(owner, spec('example.org', { ...at, ingress: {} }));
  expect(JSON.stringify(manifest)).toContain('"hosts":["example.org"]');
  const routes = httpRoutes(owner, spec('example.org', { ...at, gateway: { parentRefs: [{ name: 'public' }] } }));
  expect(routes.wellKnown).toBeUndefined();
  expect(JSON.stringify(routes.api)).toContain('"/.well-known/matrix"');
});

test('the two routes of a gateway each have one host; the same input gives the same bytes', () => {
  const given = spec('example.org', { gateway: { parentRefs: [{ name: 'public', namespace: 'gateways' }] } });
  const routes = httpRoutes(owner, given);
  expect(routes.api).toMatchObject({ spec: { hostnames: ['matrix.example.org'] } });
  expect(routes.wellKnown).toMatchObject({
    metadata: { name: 'chat-well-known' },
    spec: { hostnames: ['example.org'] },
  });
  expect(JSON.stringify(httpRoutes(owner, given))).toBe(JSON.stringify(routes));
});

test('nothing outside of the Matrix API is reachable: the probes are for the cluster', () => {
  const manifest = JSON.stringify(ingress(owner, spec('example.org', { ingress: {} })));
  expect(manifest).not.toMatch(/"path":"\/"|readyz|healthz/);
});

const ENDPOINTS = [
  {
    name: 'other servers call a name with a port as it is',
    given: spec('example.org:8448', { host: 'm.example.org', ingress: {} }),
    wanted: { client: 'https://m.example.org', federation: 'example.org:8448', wellKnownServer: 'm.example.org:443' },
  },
  {
    name: 'other servers call an address at 8448',
    given: spec('[2001:db8::1]', { host: 'm.example.org', ingress: {} }),
    wanted: { federation: '[2001:db8::1]:8448' },
  },
  {
    name: 'what config says counts more',
    given: { ...spec('example.org', { ingress: {} }), config: { publicBaseUrl: 'https://x.example/m' } },
    wanted: { client: 'https://x.example/m', federation: 'matrix.example.org:443' },
  },
  {
    name: 'without exposure clients inside the cluster use the Service',
    given: { serverName: 'example.org', exposure: undefined },
    wanted: { client: 'http://chat.ns.svc:8008' },
  },
];

test.for(ENDPOINTS)('endpoints: $name', ({ given, wanted }) => {
  expect(endpointsOf(owner, given)).toMatchObject(wanted);
});
