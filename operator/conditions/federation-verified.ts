import { FEDERATION_FAILURES, type FederationFailure } from '../api/federation-status.ts';
import type { Reason } from '../api/reasons.ts';
import type { ConditionResult, FederationReport, Observed } from './observed.ts';

const type = 'FederationVerified';

/** Classes that are a reason of their own; the others mean that there is nobody to compare with, or a broken answer. */
const REASON_OF: Readonly<Record<FederationFailure, Reason>> = {
  NameNotFound: 'Unreachable',
  DNSFailed: 'Unreachable',
  ConnectionFailed: 'Unreachable',
  Timeout: 'Unreachable',
  TLSInvalid: 'Unreachable',
  BadStatus: 'Unreachable',
  TooLarge: 'Unreachable',
  Malformed: 'Unreachable',
  NoKeys: 'Unreachable',
  BadSignature: 'KeyNotVisible',
  WrongServerName: 'KeyNotVisible',
  Expired: 'KeyNotVisible',
  KeyNotVisible: 'KeyNotVisible',
  ForeignKeys: 'ForeignKeys',
  WellKnownMismatch: 'WellKnownMismatch',
  PrivateAddress: 'PrivateAddress',
};

/** The published key and delegation, seen from outside, are ours. It does not gate Ready: much of it is outside our reach. */
export function federationVerified({ federation }: Pick<Observed, 'federation'>): ConditionResult {
  switch (federation.state) {
    case 'off':
      return { type, status: 'Unknown', reason: 'NotChecked', message: federation.message };
    case 'pending':
      return { type, status: 'Unknown', reason: 'Pending', message: 'nobody has looked from outside yet' };
    case 'kept':
      return federation.condition;
    case 'seen':
      return seen(federation);
  }
}

function seen(report: Extract<FederationReport, { state: 'seen' }>): ConditionResult {
  const { kind } = report;
  if (kind === 'KeysMatch') return { type, status: 'True', reason: 'KeysMatch', message: vantagePoint(report) };
  // An address that may not be looked at says nothing about what others see.
  const status = kind === 'PrivateAddress' ? 'Unknown' : 'False';
  const message = `${kind}: ${FEDERATION_FAILURES[kind]} (${vantagePoint(report)})`;
  return { type, status, reason: REASON_OF[kind], message };
}

function vantagePoint({ vantage, delegatedTo }: Extract<FederationReport, { state: 'seen' }>): string {
  const delegation = delegatedTo === undefined ? '' : `, delegated to ${delegatedTo}`;
  return vantage === 'Direct' ? `seen directly${delegation}` : `seen through ${vantage}`;
}
