import { expect, test } from 'vitest';
import { networkOf } from './network-of.ts';

const cases = [
  { name: 'an IPv4 address is itself', address: '192.0.2.7', network: '192.0.2.7' },
  { name: 'an IPv4 address inside IPv6 is the IPv4 address', address: '::ffff:192.0.2.7', network: '192.0.2.7' },
  { name: 'an IPv6 address is its /64', address: '2001:db8:1:2:3:4:5:6', network: '2001:db8:1:2::/64' },
  { name: 'zeros that were left out are put back', address: '2001:db8::1', network: '2001:db8:0:0::/64' },
  { name: 'leading zeros and capitals make no difference', address: '2001:0DB8:0001::1', network: '2001:db8:1:0::/64' },
  { name: 'the loopback address has a network too', address: '::1', network: '0:0:0:0::/64' },
  { name: 'a zone is left out', address: 'fe80::1%eth0', network: 'fe80:0:0:0::/64' },
];

test.for(cases)('$name', ({ address, network }) => {
  expect(networkOf(address)).toBe(network);
});
