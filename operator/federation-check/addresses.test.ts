import { expect, test } from 'vitest';
import { createAddressPolicy, isCidr, isPublic } from './addresses.ts';

test.for(['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.0', '100.63.255.255', '2606:4700::1', '2a00:1450:4001::1'])(
  '%s is public',
  (address) => {
    expect(isPublic(address)).toBe(true);
  },
);

test.for([
  { what: 'this host', addresses: ['0.0.0.0', '0.1.2.3', '::'] },
  {
    what: 'a private network',
    addresses: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::1'],
  },
  { what: 'loopback', addresses: ['127.0.0.1', '127.255.255.254', '::1'] },
  { what: 'link-local', addresses: ['169.254.169.254', 'fe80::1', 'fe80::1%eth0', 'febf::1'] },
  { what: 'carrier NAT', addresses: ['100.64.0.1', '100.127.255.255'] },
  { what: 'multicast and broadcast', addresses: ['224.0.0.1', '239.1.1.1', '255.255.255.255', 'ff02::1'] },
  {
    what: 'reserved or for documents',
    addresses: ['240.0.0.1', '192.0.2.1', '198.18.0.1', '203.0.113.9', '2001:db8::1'],
  },
  { what: 'IPv4 inside IPv6', addresses: ['::ffff:8.8.8.8', '::ffff:10.0.0.1', '::ffff:a00:1', '::8.8.8.8'] },
  { what: 'NAT64', addresses: ['64:ff9b::8.8.8.8', '64:ff9b::a00:1', '64:ff9b:1::1'] },
  { what: '6to4 and Teredo', addresses: ['2002:a00:1::1', '2001::1'] },
  { what: 'no address at all', addresses: ['', 'localhost', '127.1', '0x7f000001', '2130706433', '1.2.3.4/8'] },
])('$what is not public', ({ addresses }) => {
  expect(addresses.filter((address) => isPublic(address))).toEqual([]);
});

test('a network that is allowed by name may be entered, its neighbours may not', () => {
  const isAllowed = createAddressPolicy(['10.1.0.0/16', 'fd00:1::/32']);
  expect(['8.8.8.8', '10.1.2.3', 'fd00:1::5'].every(isAllowed)).toBe(true);
  expect(['10.2.0.1', '::ffff:10.1.2.3', '127.0.0.1', 'fd00:2::5', 'fe80::1'].some(isAllowed)).toBe(false);
});

test('a CIDR is an address with a length that fits its family', () => {
  expect(['10.0.0.0/8', '::/0', 'fd00::/128', '1.2.3.4/32'].every(isCidr)).toBe(true);
  expect(
    ['10.0.0.0', '10.0.0.0/33', 'fd00::/129', 'example.org/8', '10.0.0.0/8/8', '10.0.0.0/', '/8'].some(isCidr),
  ).toBe(false);
});
