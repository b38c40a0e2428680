import type { RuleCase } from './media-rule-cases.ts';

const managed = { host: 'turn.example.org' };

/** What the API server has to say of `spec.integrations.turn`. */
export const TURN_CASES: RuleCase[] = [
  {
    name: 'a TURN URI of another scheme is refused',
    spec: { integrations: { turn: { external: { uris: ['https://x'], secretRef: { name: 't', key: 'k' } } } } },
    refused: 'uris[0]',
  },
  { name: 'TURN that is neither is refused', spec: { integrations: { turn: {} } }, refused: 'exactly one of turn' },
  {
    name: 'TURN that is both is refused',
    spec: { integrations: { turn: { managed, external: { uris: ['turn:x'], secretRef: { name: 't', key: 'k' } } } } },
    refused: 'exactly one of turn',
  },
  { name: 'a managed TURN server needs a host only', spec: { integrations: { turn: { managed } } } },
  {
    name: 'relay ports in the wrong order are refused',
    spec: { integrations: { turn: { managed: { ...managed, relayPorts: { min: 20_001, max: 20_000 } } } } },
    refused: 'may not be more than relayPorts.max',
  },
  {
    name: 'more than a hundred relay ports are refused',
    spec: { integrations: { turn: { managed: { ...managed, relayPorts: { min: 20_000, max: 20_100 } } } } },
    refused: 'at most 100 ports',
  },
  {
    name: 'networks of both families are accepted as peers',
    spec: { integrations: { turn: { managed: { ...managed, allowedPeers: ['10.0.0.0/8', 'fd00::/8'] } } } },
  },
  {
    name: 'a network that is none is refused',
    spec: { integrations: { turn: { managed: { ...managed, deniedPeers: ['10.0.0.0/33'] } } } },
    refused: 'a network such as',
  },
  {
    name: 'an address in the place of a network is refused',
    spec: { integrations: { turn: { managed: { ...managed, allowedPeers: ['10.1.2.3/8'] } } } },
    refused: 'zeros beyond its length',
  },
  {
    name: 'an externalIP that is none is refused',
    spec: { integrations: { turn: { managed: { ...managed, externalIP: '1.2.3' } } } },
    refused: 'must be an IP address',
  },
];
