import { BlockList, isIP } from 'node:net';
import { NOT_PUBLIC_4, NOT_PUBLIC_6, PUBLIC_6 } from '../resources/special-networks.ts';

const notPublic = blockList([...NOT_PUBLIC_4, ...NOT_PUBLIC_6]);
const public6 = blockList([PUBLIC_6]);

/** Says of an IP address whether it may be connected to: a public one, or one inside `allowed` (CIDRs). */
export function createAddressPolicy(allowed: readonly string[]): (address: string) => boolean {
  // By family: node:net finds an IPv4-mapped address in IPv4 networks, and 127.0.0.0/8 is not to mean ::ffff:127.0.0.1 too.
  const [four, six] = [4, 6].map((family) =>
    blockList(allowed.filter((cidr) => isIP(cidr.split('/')[0] ?? '') === family)),
  );
  return (address) => isPublic(address) || isInside(isIP(address) === 6 ? six : four, address);
}

/** True for an address of the public internet; false for everything else, text that is no address included. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 0 || isInside(notPublic, address)) return false;
  return family === 4 || isInside(public6, address);
}

/** True for text such as `10.0.0.0/8` or `fd00::/8`. */
export function isCidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  return family > 0 && rest.length === 0 && /^\d{1,3}$/.test(bits ?? '') && Number(bits) <= (family === 4 ? 32 : 128);
}

function isInside(list: BlockList | undefined, address: string): boolean {
  // A zone (fe80::1%eth0) names an interface of this machine, which no other server could mean.
  if (address.includes('%')) return false;
  return list !== undefined && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits = ''] = cidr.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
