import { BlockList } from 'node:net';
import { expect, test } from 'vitest';
import { NOT_PUBLIC_4, NOT_PUBLIC_6, PUBLIC_6, rangeOf } from './special-networks.ts';

test.for([
  { cidr: '10.0.0.0/8', first: '10.0.0.0', last: '10.255.255.255' },
  { cidr: '172.16.5.6/12', first: '172.16.0.0', last: '172.31.255.255' },
  { cidr: '192.0.2.7/32', first: '192.0.2.7', last: '192.0.2.7' },
  { cidr: '0.0.0.0/0', first: '0.0.0.0', last: '255.255.255.255' },
  { cidr: '::/3', first: '0:0:0:0:0:0:0:0', last: '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' },
  { cidr: 'FD00:1::5/32', first: 'fd00:1:0:0:0:0:0:0', last: 'fd00:1:ffff:ffff:ffff:ffff:ffff:ffff' },
  { cidr: '64:ff9b::10.0.0.1/128', first: '64:ff9b:0:0:0:0:a00:1', last: '64:ff9b:0:0:0:0:a00:1' },
  { cidr: '1:2:3:4:5:6:7:8/112', first: '1:2:3:4:5:6:7:0', last: '1:2:3:4:5:6:7:ffff' },
])('$cidr is from $first to $last', ({ cidr, first, last }) => {
  expect(rangeOf(cidr)).toEqual({ isIPv6: cidr.includes(':'), first, last });
});

test('every special network is the range that Node takes it for', () => {
  for (const cidr of [...NOT_PUBLIC_4, ...NOT_PUBLIC_6, PUBLIC_6]) {
    const { first, last, isIPv6 } = rangeOf(cidr);
    const family = isIPv6 ? 'ipv6' : 'ipv4';
    const list = new BlockList();
    const [address = '', bits = ''] = cidr.split('/');
    list.addSubnet(address, Number(bits), family);
    expect([first, last].map((one) => list.check(one, family))).toEqual([true, true]);
    const range = new BlockList();
    range.addRange(first, last, family);
    expect(range.check(address, family)).toBe(true);
  }
});
