import type { FederationFailure } from '../api/federation-status.ts';
import { CheckFailure, classify } from './check-failure.ts';
import type { Discovered } from './discover.ts';
import { discover } from './discover.ts';
import type { Finding, OwnKey } from './finding.ts';
import { judge, sortKeys } from './finding.ts';
import type { KeyAnswer } from './key-answer.ts';
import { parseObject, readKeyAnswer } from './key-answer.ts';
import { readNotaryAnswer } from './notary-answer.ts';
import type { Answer, Outlook } from './pinned-request.ts';
import { pinnedRequest } from './pinned-request.ts';

/** What is looked at, and how. */
export interface Subject {
  readonly serverName: string;
  /** Empty: the server name itself is asked. */
  readonly notaries: readonly string[];
  /** All keys of the ledger that others may see. */
  readonly keys: readonly OwnKey[];
  /** Another text calls for another look: what others see may have changed by it, such as the routes. */
  readonly revision: string;
}

/** Looks at a server name once as another Matrix server would; never rejects. `now` is Unix ms. */
export async function check(outlook: Outlook, subject: Subject, now: number): Promise<Finding> {
  if (subject.notaries.length === 0) return checkDirect(outlook, subject, now);
  let finding: Finding | undefined;
  for (const notary of subject.notaries) {
    finding = await checkNotary(outlook, subject, { notary, now });
    if (finding.seen !== undefined || outlook.signal.aborted) return finding;
  }
  return finding ?? { kind: 'NoKeys', vantage: 'Direct' };
}

async function checkDirect(outlook: Outlook, subject: Subject, now: number): Promise<Finding> {
  let found: Discovered | undefined;
  try {
    found = await discover(outlook, subject.serverName);
    const answer = await pinnedRequest(outlook, { target: found.target, path: '/_matrix/key/v2/server' });
    const read = readKeyAnswer(bodyOf(answer), { serverName: subject.serverName, now });
    return toFinding(read, subject, 'Direct', found.delegatedTo);
  } catch (error) {
    return failed(error, outlook, 'Direct', found?.delegatedTo);
  }
}

async function checkNotary(
  outlook: Outlook,
  subject: Subject,
  { notary, now }: { readonly notary: string; readonly now: number },
): Promise<Finding> {
  try {
    const { target } = await discover(outlook, notary);
    const body = { server_keys: { [subject.serverName]: {} } };
    const answer = await pinnedRequest(outlook, { target, path: '/_matrix/key/v2/query', body });
    const read = readNotaryAnswer(bodyOf(answer), { serverName: subject.serverName, now });
    return toFinding(read, subject, notary, undefined);
  } catch (error) {
    return failed(error, outlook, notary, undefined);
  }
}

function bodyOf({ status, text }: Answer) {
  if (status !== 200) throw new CheckFailure('BadStatus');
  return parseObject(text);
}

function toFinding(read: KeyAnswer, { keys }: Subject, vantage: string, delegatedTo: string | undefined): Finding {
  if (!read.ok) return withDelegation({ kind: elsewhere(read.kind, delegatedTo), vantage }, delegatedTo);
  const seen = sortKeys(read.keys);
  return withDelegation({ kind: judge(seen, keys), vantage, seen }, delegatedTo);
}

/** The delegation leads to somebody else's server. */
function elsewhere(kind: FederationFailure, delegatedTo: string | undefined): FederationFailure {
  return kind === 'WrongServerName' && delegatedTo !== undefined ? 'WellKnownMismatch' : kind;
}

function failed(error: unknown, outlook: Outlook, vantage: string, delegatedTo: string | undefined): Finding {
  const { kind } = classify(error, outlook.signal.aborted);
  return withDelegation({ kind, vantage }, delegatedTo);
}

function withDelegation(finding: Finding, delegatedTo: string | undefined): Finding {
  return delegatedTo === undefined ? finding : { ...finding, delegatedTo };
}
