/**
 * IPv4 networks that are not of the public internet: this host, private and shared (carrier NAT) networks, loopback,
 * link-local with the metadata services of clouds, documentation, benchmarks, 6to4 relays, multicast and the rest.
 * IANA IPv4 Special-Purpose Address Registry.
 */
export const NOT_PUBLIC_4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** The only IPv6 addresses that are public; loopback, link-local, unique local, mapped, NAT64 and multicast lie outside. */
export const PUBLIC_6 = '2000::/3';
/** Within it: protocol assignments with Teredo, documentation, and 6to4, which carries an IPv4 address. */
export const NOT_PUBLIC_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const V4 = { bits: 32, group: 8, separator: '.', base: 10 };
const V6 = { bits: 128, group: 16, separator: ':', base: 16 };
type Family = typeof V4;

/** First and last address of a network. */
export interface AddressRange {
  readonly isIPv6: boolean;
  readonly first: string;
  readonly last: string;
}

/** The range of a network in CIDR form, which must be a right one. */
export function rangeOf(cidr: string): AddressRange {
  const [address = '', bits = ''] = cidr.split('/');
  const family = address.includes(':') ? V6 : V4;
  const host = (1n << BigInt(family.bits - Number(bits))) - 1n;
  const first = numberOf(family, expanded(address)) & ~host;
  return { isIPv6: family === V6, first: textOf(family, first), last: textOf(family, first | host) };
}

/** IPv6 with all of its groups; `::` stands for as many zeros as are missing. An IPv4 address at its end makes two groups. */
function expanded(address: string): string {
  if (!address.includes(':')) return address;
  const text = address.replace(/[0-9]+(\.[0-9]+){3}$/, (tail) => {
    const number = numberOf(V4, tail);
    return `${(number >> 16n).toString(16)}:${(number & 0xffffn).toString(16)}`;
  });
  const [head = '', tail] = text.split('::');
  if (tail === undefined) return head;
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const zeros = V6.bits / V6.group - groups(head).length - groups(tail).length;
  return [...groups(head), ...new Array<string>(zeros).fill('0'), ...groups(tail)].join(':');
}

function numberOf({ group, separator, base }: Family, text: string): bigint {
  const groups = text.split(separator).map((one) => BigInt(parseInt(one, base)));
  return groups.reduce((sum, one) => (sum << BigInt(group)) | one, 0n);
}

function textOf({ bits, group, separator, base }: Family, address: bigint): string {
  const mask = (1n << BigInt(group)) - 1n;
  const shifts = Array.from({ length: bits / group }, (_, index) => BigInt(bits - group * (index + 1)));
  return shifts.map((shift) => ((address >> shift) & mask).toString(base)).join(separator);
}
