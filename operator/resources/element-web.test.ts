import { expect, test } from 'vitest';
import { IntegrationsSpec } from '../api/integrations-spec.ts';
import { ExposureSpec } from '../api/exposure-spec.ts';
import { elementWebConfigMap, elementWebDeployment, elementWebService } from './element-web.ts';
import { endpointsOf } from './endpoints.ts';
import { renderConfig } from './homeserver-config.ts';
import { elementWebRoute } from './http-routes.ts';
import { elementWebIngress } from './ingress.ts';
import { FederationSpec } from '../api/federation-spec.ts';
import { DatabaseSpec } from '../api/database-spec.ts';

const owner = { name: 'chat', namespace: 'ns', uid: 'uid' };
const server = { name: 'example.org', baseUrl: 'https://matrix.example.org' };
const integrations = IntegrationsSpec.parse({
  elementWeb: { host: 'app.example.org', config: { brand: 'Ours' } },
  turn: { external: { uris: ['turn:turn.example.org'], secretRef: { name: 'turn', key: 'secret' } } },
  rtc: { external: { url: 'https://rtc.example.org' } },
});
const wanted = integrations.elementWeb ?? { host: '' };
const spec = (exposure: object) => ({
  serverName: 'example.org',
  exposure: ExposureSpec.parse(exposure),
  integrations,
});

test('config.json tells of this server, and what the spec says is laid over it; the order of keys is no difference', () => {
  const made = elementWebConfigMap(owner, wanted, server);
  expect(JSON.stringify(made['data'])).toContain('\\"base_url\\": \\"https://matrix.example.org\\"');
  expect(JSON.stringify(made['data'])).toContain('\\"brand\\": \\"Ours\\"');
  const one = elementWebConfigMap(owner, { host: 'x', config: { a: 1, b: { c: 1, d: 2 } } }, server);
  const two = elementWebConfigMap(owner, { host: 'x', config: { b: { d: 2, c: 1 }, a: 1 } }, server);
  expect(JSON.stringify(one)).toBe(JSON.stringify(two));
});

test('a changed config.json rolls the pods, which keep to the restricted Pod Security standard', () => {
  const made = elementWebDeployment({ owner, wanted, configChecksum: 'sum', userIsGiven: false });
  const text = JSON.stringify(made);
  expect(text).toContain('"matrix-operator.dev/config-checksum":"sum"');
  expect(text).toContain('"runAsNonRoot":true');
  expect(text).toContain('"readOnlyRootFilesystem":true');
  expect(text).toContain('"runAsUser":101');
  expect(text).toMatch(/"image":"docker.io\/vectorim\/element-web:v[0-9]+\.[0-9]+\.[0-9]+"/);
});

test('where the platform chooses the user, none is asked for; an image of the spec is used whole', () => {
  const image = 'registry.example.org/element:1';
  const made = elementWebDeployment({ owner, wanted: { ...wanted, image }, configChecksum: '', userIsGiven: true });
  expect(JSON.stringify(made)).not.toContain('runAsUser');
  expect(JSON.stringify(made)).toContain(`"image":"${image}"`);
});

test('the Service of Element Web does not select the homeserver', () => {
  expect(elementWebService(owner)['spec']).toMatchObject({
    selector: { 'matrix-operator.dev/homeserver': 'chat', 'app.kubernetes.io/component': 'element-web' },
  });
});

test('its host is routed in the same way as the server, with a certificate of its own unless one is named for all', () => {
  expect(elementWebIngress(owner, spec({ ingress: {} }))?.['spec']).toMatchObject({
    tls: [{ hosts: ['app.example.org'], secretName: 'chat-element-web-tls' }],
    rules: [{ host: 'app.example.org' }],
  });
  expect(JSON.stringify(elementWebIngress(owner, spec({ ingress: { tlsSecretName: 'all' } })))).toContain('"all"');
  const gateway = { parentRefs: [{ name: 'public' }] };
  expect(elementWebRoute(owner, spec({ gateway }))?.['spec']).toMatchObject({ hostnames: ['app.example.org'] });
  expect(elementWebIngress(owner, spec({ gateway }))).toBeUndefined();
  expect(elementWebRoute(owner, spec({}))).toBeUndefined();
});

test('the status tells where Element Web and group calls are', () => {
  expect(endpointsOf(owner, spec({}))).toMatchObject({
    elementWeb: 'https://app.example.org',
    rtc: 'https://rtc.example.org',
  });
});

test('TURN and RTC reach the configuration, the secret only as a file', () => {
  const database = DatabaseSpec.parse({ existing: { secretRef: { name: 'x' } } });
  const rendered = renderConfig({
    serverName: 'example.org',
    database,
    integrations,
    federation: FederationSpec.parse({}),
  });
  expect(rendered.ok && JSON.parse(rendered.yaml)).toMatchObject({
    turn: { uris: ['turn:turn.example.org'], secretFile: '/etc/homeserver/turn/secret' },
    rtc: { livekitServiceUrl: 'https://rtc.example.org' },
  });
});
