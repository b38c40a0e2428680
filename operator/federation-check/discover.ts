import { CheckFailure } from './check-failure.ts';
import type { NameParts, Target } from './discovery.ts';
import {
  SRV_SERVICES,
  directTarget,
  fallbackTarget,
  hopTarget,
  parseName,
  parseWellKnown,
  redirectUrl,
  srvTarget,
  wellKnownUrl,
} from './discovery.ts';
import type { Answer, Outlook } from './pinned-request.ts';
import { pinnedRequest } from './pinned-request.ts';

export interface Discovered {
  readonly target: Target;
  /** What /.well-known/matrix/server named; absent when there is none that counts. */
  readonly delegatedTo?: string;
}

const MAX_REDIRECTS = 5;
const CANNOT_TELL = ['PrivateAddress', 'DNSFailed'];
/** A slow well-known document must leave time for what comes after it. */
const WELL_KNOWN_MS = 5000;

/** Where other servers go for a server name. Spec: server-server API, "Server discovery". */
export async function discover(outlook: Outlook, serverName: string): Promise<Discovered> {
  const own = parseName(serverName);
  if (own === undefined) throw new CheckFailure('NameNotFound');
  const direct = directTarget(own, outlook.ports);
  if (direct !== undefined) return { target: direct };
  const delegated = await readWellKnown(outlook, own);
  if (delegated === undefined) return { target: await lookUp(outlook, own) };
  const target = directTarget(delegated, outlook.ports) ?? (await lookUp(outlook, delegated));
  return { target, delegatedTo: delegated.name };
}

async function lookUp(outlook: Outlook, parts: NameParts): Promise<Target> {
  for (const service of SRV_SERVICES) {
    const found = srvTarget(parts, await outlook.dns.srv(`${service}.${parts.host}`));
    if (found !== undefined) return found;
  }
  return fallbackTarget(parts, outlook.ports);
}

/**
 * Whom the name delegates to. A document that is missing, broken or not reached counts as none, as it does for other
 * servers, except where we cannot tell what others see: it leads to an address we may not look at, or DNS is silent.
 */
async function readWellKnown(outlook: Outlook, own: NameParts): Promise<NameParts | undefined> {
  const hurry = new AbortController();
  const timer = setTimeout(() => hurry.abort(), WELL_KNOWN_MS);
  try {
    const signal = AbortSignal.any([outlook.signal, hurry.signal]);
    const { status, text } = await follow({ ...outlook, signal }, wellKnownUrl(own));
    return status === 200 ? parseWellKnown(text) : undefined;
  } catch (error) {
    if (outlook.signal.aborted) throw new CheckFailure('Timeout', error);
    if (!(error instanceof CheckFailure) || CANNOT_TELL.includes(error.kind)) throw error;
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function follow(outlook: Outlook, first: URL): Promise<Answer> {
  let url = first;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const target = hopTarget(url, outlook.ports);
    if (target === undefined) throw new CheckFailure('Malformed');
    const answer = await pinnedRequest(outlook, { target, path: `${url.pathname}${url.search}` });
    if (![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    const next = redirectUrl(url, answer.location);
    if (next === undefined) throw new CheckFailure('Malformed');
    url = next;
  }
  throw new CheckFailure('Malformed');
}
