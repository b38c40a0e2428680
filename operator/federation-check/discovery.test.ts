import { expect, test } from 'vitest';
import {
  DEFAULT_PORTS,
  directTarget,
  fallbackTarget,
  hopTarget,
  parseName,
  parseWellKnown,
  redirectUrl,
  srvTarget,
  wellKnownUrl,
} from './discovery.ts';

const parse = (name: string) => {
  const parts = parseName(name);
  if (parts === undefined) throw new Error(`${name} is a name`);
  return parts;
};
const target = (name: string) => {
  const found = directTarget(parse(name), DEFAULT_PORTS);
  return found && `${found.host} ${found.port} for ${found.certificateName} as ${found.hostHeader}`;
};

// Spec: server-server API, "Server discovery", with what Host and certificate must be at each step.
test.for([
  ['1.2.3.4', '1.2.3.4 8448 for 1.2.3.4 as 1.2.3.4'],
  ['1.2.3.4:5678', '1.2.3.4 5678 for 1.2.3.4 as 1.2.3.4:5678'],
  ['[2001:db8::1]', '2001:db8::1 8448 for 2001:db8::1 as [2001:db8::1]'],
  ['[2001:db8::1]:443', '2001:db8::1 443 for 2001:db8::1 as [2001:db8::1]:443'],
  ['example.org:8080', 'example.org 8080 for example.org as example.org:8080'],
  ['example.org', undefined],
] as const)('%s leads straight to %s', ([name, wanted]) => {
  expect(target(name)).toBe(wanted);
});

test('a name without a port goes by SRV, lowest priority then highest weight, or to 8448; the certificate is for the name', () => {
  const records = [
    { name: 'later.example', port: 1, priority: 20, weight: 100 },
    { name: 'light.example', port: 2, priority: 10, weight: 1 },
    { name: 'heavy.example', port: 3, priority: 10, weight: 50 },
  ];
  const asName = { certificateName: 'example.org', hostHeader: 'example.org' };
  const parts = parse('example.org');
  expect(srvTarget(parts, records)).toEqual({ host: 'heavy.example', port: 3, ...asName });
  expect(srvTarget(parts, [])).toBeUndefined();
  expect(srvTarget(parts, [{ name: '', port: 0, priority: 0, weight: 0 }])).toBeUndefined();
  expect(fallbackTarget(parts, DEFAULT_PORTS)).toEqual({ host: 'example.org', port: 8448, ...asName });
});

test.for([
  '',
  'Example.org',
  'a b',
  'exa_mple.org',
  '[::1',
  '[1.2.3.4]',
  '[12345::1]',
  'a:0',
  'a:65536',
  'a:',
  '-a.org',
  'user@a',
])('"%s" is no server name', (name) => {
  expect(parseName(name)).toBeUndefined();
});

test('a name on which the pattern would take hours is refused by its length', () => {
  expect(parseName(`${'a'.repeat(1_000_000)}-`)).toBeUndefined();
});

test.for([
  ['{"m.server":"matrix.example.org"}', 'matrix.example.org'],
  ['{"m.server":"Matrix.Example.Org:443","more":1}', 'matrix.example.org:443'],
  ['{"m.server":"[::1]:8448"}', '[::1]:8448'],
  ['{"m.server":"https://matrix.example.org"}', undefined],
  ['{"m.server":""}', undefined],
  ['{"m.server":17}', undefined],
  ['{}', undefined],
  ['null', undefined],
  ['<html>', undefined],
] as const)('the well-known document %s delegates to %s', ([text, wanted]) => {
  expect(parseWellKnown(text)?.name).toBe(wanted);
});

test('a redirect is followed to https only, without credentials, with the port that it names', () => {
  const from = wellKnownUrl(parse('example.org'));
  const hop = (location: string) => {
    const url = redirectUrl(from, location);
    const found = url && hopTarget(url, DEFAULT_PORTS);
    return found && `${found.host}:${found.port} ${found.hostHeader}`;
  };
  expect(hop('/other')).toBe('example.org:443 example.org');
  expect(hop('https://www.example.org:444/x')).toBe('www.example.org:444 www.example.org:444');
  expect(hop('https://[fd00::1]/x')).toBe('fd00::1:443 [fd00::1]');
  expect(hop('https://0x7f.1/x')).toBe('127.0.0.1:443 127.0.0.1');
  expect(hop('http://example.org/x')).toBeUndefined();
  expect(hop('https://user:pw@example.org/x')).toBeUndefined();
  expect(hop('file:///etc/passwd')).toBeUndefined();
  expect(hop('https://')).toBeUndefined();
  expect(redirectUrl(from, undefined)).toBeUndefined();
});
