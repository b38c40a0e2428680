import { expect, test } from 'vitest';
import { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import { logLine } from './log-line.ts';
import { nextSteps } from './next-steps.ts';
import { coloured, plain, printable } from './paint.ts';
import { planView } from './plan-view.ts';
import { statusList } from './status-list.ts';
import { statusView } from './status-view.ts';
import { columns } from './table.ts';
import { hoursAndMinutes, span, withDistance } from './times.ts';
import { verifyView } from './verify-view.ts';

const now = Date.parse('2026-11-21T14:20:00Z');
const at = { lastTransitionTime: '2026-11-20T14:00:00Z' };

const PLAN = {
  id: '7c19e0b2d4aa',
  kind: 'Upgrade',
  from: '1.4.1',
  to: '1.4.2',
  image: 'ghcr.io/x:1.4.2',
  steps: [
    { phase: 'Preflight', reversible: true },
    { phase: 'Expanding', migrations: ['0012-a', '0013-b'], reversible: true },
    { phase: 'Contracting', migrations: ['0014-c'], reversible: false },
  ],
  backup: 'NotConfigured',
  rollbackTo: ['1.4.1'],
};

const condition = (type: string, status: string, reason: string, message = '') => ({
  type,
  status,
  reason,
  message,
  ...at,
});

function homeserver(status: object = {}, spec: object = {}): MatrixHomeserver {
  const server = { host: 'pg', adminSecretRef: { name: 'a' } };
  return MatrixHomeserver.parse({
    metadata: {
      name: 'production',
      namespace: 'chat',
      uid: 'u',
      resourceVersion: '1',
      generation: 3,
      creationTimestamp: '2026-10-11T14:20:00Z',
    },
    spec: { serverName: 'example.org', replicas: 3, database: { server }, ...spec },
    status: {
      observedGeneration: 3,
      readyReplicas: 3,
      version: { current: '1.4.2', target: '1.4.2' },
      schema: { version: 12 },
      database: { server: 'pg:5432', name: 'mhs_chat_production_1f3a9c0b' },
      signingKeys: [
        { name: 'k1', keyID: 'ed25519:5vq7m2kd4a', state: 'Retired', expiredTS: Date.parse('2026-11-20T14:07:31Z') },
        { name: 'k2', keyID: 'ed25519:q3fz7ma2kd', state: 'Active', since: '2026-11-20T14:05:12Z' },
      ],
      upgrade: { phase: 'Soaking', plan: PLAN, contractAt: '2026-11-22T14:20:00Z' },
      conditions: [
        condition('Ready', 'True', 'Serving', '3/3 replicas serve 1.4.2'),
        condition('Reconciling', 'False', 'Settled'),
        condition('DatabaseReady', 'True', 'OK'),
        condition('RollbackPossible', 'True', 'WindowOpen', 'to 1.4.1 until 2026-11-22T14:20:00Z'),
      ],
      ...status,
    },
  });
}

const waiting = homeserver({
  upgrade: { phase: 'AwaitingApproval', plan: PLAN },
  conditions: [condition('Ready', 'False', 'AwaitingApproval', 'plan 7c19e0b2d4aa')],
});
const stalled = homeserver({
  conditions: [
    condition('Ready', 'False', 'SecretMissing', 'Secret pg-admin'),
    condition('DatabaseReady', 'False', 'SecretMissing', 'Secret pg-admin'),
    condition('FederationVerified', 'False', 'Unreachable'),
  ],
});

test('the status of one resource is a shortened describe that ends with what to do', () => {
  const happened = { type: 'Normal', reason: 'UpgradeRolled', message: '1.4.2 rolled', time: '2026-11-21T12:20:00Z' };
  expect(
    statusView(homeserver(), { paint: plain, now, events: [happened] }).join('\n'),
  ).toBe(`chat/production  example.org
  Version   1.4.2
  Replicas  3 of 3 ready
  Database  mhs_chat_production_1f3a9c0b on pg:5432, schema 12
  Upgrade   Soaking, plan 7c19e0b2d4aa, 1.4.1 -> 1.4.2, contract at 2026-11-22T14:20:00Z (in 24h)

Signing keys
  k1  ed25519:5vq7m2kd4a  Retired  expired 2026-11-20T14:07:31.000Z
  k2  ed25519:q3fz7ma2kd  Active   since 2026-11-20T14:05:12Z

Conditions
  Ready             True  Serving     3/3 replicas serve 1.4.2
  RollbackPossible  True  WindowOpen  to 1.4.1 until 2026-11-22T14:20:00Z

Events
  Normal  UpgradeRolled  2h  1.4.2 rolled

Next steps
  Nothing is needed.`);
});

test('the list has a line for each resource with its most pressing step', () => {
  const lines = statusList([homeserver(), stalled], { paint: plain, now, allNamespaces: true });
  expect(lines).toEqual([
    'NAMESPACE  NAME        SERVER NAME  VERSION  REPLICAS  READY  STATUS         AGE  NEXT STEP',
    'chat       production  example.org  1.4.2    3/3       True   Serving        41d',
    'chat       production  example.org  1.4.2    3/3       False  SecretMissing  41d  SecretMissing: Create it.',
  ]);
});

test.for([
  { name: 'a plan that waits comes before all else', given: waiting, then: /kubectl matrix plan -n chat production/ },
  { name: 'a resource that nobody has seen', given: homeserver({ observedGeneration: -1 }), then: /has not seen it/ },
  { name: 'a paused resource', given: homeserver({}, { paused: true }), then: /set spec.paused to false/ },
  { name: 'what needs a person comes before what passes', given: stalled, then: /^SecretMissing: Create it\./ },
  {
    name: 'a newer version',
    given: homeserver({ version: { current: '1.4.2', available: '1.5.0' } }),
    then: /1\.5\.0 is available/,
  },
  {
    name: 'a reason of a newer operator',
    given: homeserver({ conditions: [condition('Ready', 'False', 'Unheard', 'of this')] }),
    then: /^Unheard: of this/,
  },
])('the next step: $name', ({ given, then }) => {
  expect(nextSteps(given)[0]).toMatch(then);
});

test('each reason is said once', () => {
  expect(nextSteps(stalled)).toHaveLength(2);
});

test('a plan is shown with its id, its steps, where it stands and the way back', () => {
  expect(planView(waiting, { paint: plain, now }).join('\n')).toBe(`chat/production  plan 7c19e0b2d4aa
  Upgrade   1.4.1 -> 1.4.2
  Image     ghcr.io/x:1.4.2
  Phase     AwaitingApproval
  Backup    none: spec.backup is not set
  Way back  rollback to 1.4.1 stays possible until the contract step

Steps
    Preflight    reversible
    Expanding    reversible   0012-a, 0013-b
    Contracting  no way back  0014-c

Next steps
  - Approve it: kubectl matrix approve -n chat production`);
});

test('a plan that is refused says why, a running one where it is', () => {
  const refusal = { reason: 'RollbackUnsafe', message: 'the database is too new' };
  const refused = homeserver({ upgrade: { phase: 'Refused', plan: { ...PLAN, refusal } } });
  expect(planView(refused, { paint: plain, now }).join('\n')).toContain('RollbackUnsafe: the database is too new');
  const progress = { phase: 'Expanding', step: '0012-a', percent: 40 };
  const running = planView(homeserver({ upgrade: { phase: 'Expanding', plan: PLAN, progress } }), {
    paint: plain,
    now,
  });
  expect(running.join('\n')).toContain('Expanding, 40 % (0012-a)');
  expect(running).toContain('  >  Expanding    reversible   0012-a, 0013-b');
});

test('without a plan it is said what serves', () => {
  expect(planView(homeserver({ upgrade: {} }), { paint: plain, now })).toEqual([
    'There is no plan: 1.4.2 serves and is what is wanted',
  ]);
});

test('colours take no room in columns and are there only when they are wanted', () => {
  const rows = [['a', { text: 'ok', style: 'good' }, 'x'] as const, ['bb', 'longer', 'y'] as const];
  expect(columns(rows, plain)).toEqual(['a   ok      x', 'bb  longer  y']);
  expect(columns(rows, coloured)[0]).toBe('a   \u001b[32mok\u001b[0m      x');
});

test('nothing that a terminal would act on comes through', () => {
  expect(printable('a\u001b[2Jb\u009bc\td')).toBe('a\ufffd[2Jb\ufffdc\td');
});

test.for([
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [3_600_000 * 47, '47h'],
  [3_600_000 * 48, '2d'],
] as const)('%d ms are %s', ([ms, then]) => {
  expect(span(ms)).toBe(then);
});

test('times are told with how far away they are', () => {
  expect(withDistance('2026-11-21T14:19:00Z', now)).toBe('2026-11-21T14:19:00Z (60s ago)');
  expect(withDistance('soon', now)).toBe('soon');
  expect(hoursAndMinutes(43_500_000)).toBe('12 h 5 min');
});

test('a line of a log is told with its pod; what is no JSON stays as it is, without what a terminal would act on', () => {
  const line = '{"level":"warn","time":"2026-11-01T00:00:00.000Z","component":"sync","count":3,"msg":"slow"}';
  expect(logLine('chat-1', line, plain)).toBe('chat-1 2026-11-01T00:00:00.000Z WARN  slow component=sync count=3');
  expect(logLine('chat-1', 'plain \u001b[31mtext', plain)).toBe('chat-1 plain \ufffd[31mtext');
  expect(logLine('chat-1', '{broken', plain)).toBe('chat-1 {broken');
});

test('a report of verify names what is wrong under its check', () => {
  const check = { name: 'references', checked: 10, problems: 0, examples: [], complete: true };
  const wrong = { ...check, name: 'ids', checked: null, problems: 2, examples: ['$a', '$b'], complete: false };
  expect(verifyView({ whole: false, serverName: 'example.org', checks: [check, wrong] }, plain)).toEqual([
    'The database of example.org is NOT whole.',
    '  good     references  10 looked at',
    '  2 wrong  ids                       time ran out',
    '      $a',
    '      $b',
  ]);
});
