import { expect, test } from 'vitest';
import type { UpgradePhase, UpgradePlan, UpgradeStatus } from '../api/upgrade-status.ts';
import type { NewsInput } from './upgrade-news.ts';
import { upgradeNews } from './upgrade-news.ts';

const UPGRADE: UpgradePlan = {
  id: 'aaaaaaaaaaaa',
  kind: 'Upgrade',
  from: '1.0.0',
  to: '1.1.0',
  image: 'image:1.1.0',
  steps: [
    { phase: 'Preflight', reversible: true },
    { phase: 'Expanding', migrations: ['0002-more.sql', '0003-fill.sql'], reversible: true },
    { phase: 'Rolling', reversible: true },
    { phase: 'Verifying', reversible: true },
    { phase: 'Soaking', reversible: true },
    { phase: 'Contracting', migrations: ['0004-less.sql'], reversible: false },
  ],
  backup: 'NotConfigured',
  rollbackTo: ['1.0.0'],
};
const ROLLBACK: UpgradePlan = {
  ...UPGRADE,
  id: 'bbbbbbbbbbbb',
  kind: 'Rollback',
  from: '1.1.0',
  to: '1.0.0',
  steps: [],
};
const REFUSED: UpgradePlan = {
  ...ROLLBACK,
  refusal: { reason: 'RollbackUnsafe', message: 'the database needs programs of level 2' },
};
const INSTALL: UpgradePlan = { ...UPGRADE, id: 'cccccccccccc', kind: 'Install' };

const at = (phase: UpgradePhase, plan = UPGRADE, more: UpgradeStatus = {}): UpgradeStatus => ({ phase, plan, ...more });
const last = (to: string, result: 'Installed' | 'Upgraded' | 'RolledBack'): UpgradeStatus => ({
  last: { to, result, finishedAt: '2026-11-01T10:00:00Z' },
});
const installed = last('1.0.0', 'Installed');
const upgraded = last('1.1.0', 'Upgraded');
const back = last('1.0.0', 'RolledBack');
const soaking = at('Soaking', UPGRADE, { ...upgraded, contractAt: '2026-11-02T10:00:00Z' });

const WHY: NewsInput['why'] = {
  schema: { state: 'done', message: '' },
  verify: { state: 'blocked', reason: 'RolloutFailed', message: 'no pod got ready' },
};

interface Case {
  readonly name: string;
  readonly from: UpgradeStatus | undefined;
  readonly to: UpgradeStatus | undefined;
  /** [INSTALL] */
  readonly accepted?: UpgradePlan;
  readonly news: readonly string[];
}

const told: readonly Case[] = [
  {
    name: 'a new plan is told with its steps',
    from: installed,
    to: at('Preflight', UPGRADE, installed),
    news: [
      'Normal UpgradePlanned: Upgrade from 1.0.0 to 1.1.0 (plan aaaaaaaaaaaa): Preflight, Expanding (2 migrations), ' +
        'Rolling, Verifying, Soaking, Contracting (1 migration)',
    ],
  },
  { name: 'a wait for a turn is a beginning', from: installed, to: at('Planned'), news: ['UpgradePlanned'] },
  { name: 'a plan waits for approval', from: installed, to: at('AwaitingApproval'), news: ['AwaitingApproval'] },
  {
    name: 'another plan waits for approval',
    from: at('AwaitingApproval'),
    to: at('AwaitingApproval', ROLLBACK),
    news: ['AwaitingApproval'],
  },
  { name: 'a rollback begins', from: soaking, to: at('Preflight', ROLLBACK), news: ['RollbackPlanned'] },
  {
    name: 'a version that serves tells until when the way back is open',
    from: at('Verifying'),
    to: soaking,
    accepted: UPGRADE,
    news: [
      'Normal UpgradeRolled: version 1.1.0 serves; what only older versions need is removed from 2026-11-02T10:00:00Z on',
    ],
  },
  { name: 'a rollback serves', from: at('Rolling', ROLLBACK), to: back, accepted: ROLLBACK, news: ['RollbackRolled'] },
  {
    name: 'the contract ends',
    from: at('Contracting', UPGRADE, upgraded),
    to: upgraded,
    accepted: UPGRADE,
    news: ['UpgradeContracted'],
  },
  {
    name: 'a failure has its cause',
    from: at('Rolling'),
    to: at('Failed'),
    accepted: UPGRADE,
    news: [
      'Warning UpgradeFailed: Upgrade from 1.0.0 to 1.1.0 (plan aaaaaaaaaaaa) stopped: RolloutFailed: no pod got ready',
    ],
  },
  {
    name: 'a rollback is not possible',
    from: upgraded,
    to: at('Refused', REFUSED, upgraded),
    accepted: UPGRADE,
    news: ['Warning RollbackRefused: the database needs programs of level 2'],
  },
  {
    name: 'all of an upgrade passed before the first status of it',
    from: installed,
    to: upgraded,
    accepted: UPGRADE,
    news: ['UpgradePlanned', 'UpgradeRolled', 'UpgradeContracted'],
  },
  {
    name: 'all of a rollback passed before the first status of it',
    from: soaking,
    to: back,
    accepted: ROLLBACK,
    news: ['RollbackPlanned', 'RollbackRolled'],
  },
  {
    name: 'an upgrade was accepted before the first status of it',
    from: installed,
    to: at('Rolling'),
    accepted: UPGRADE,
    news: ['UpgradePlanned'],
  },
];

const quiet: readonly Omit<Case, 'news'>[] = [
  { name: 'the next phase of a plan', from: at('Preflight'), to: at('Expanding'), accepted: UPGRADE },
  { name: 'a plan that got its turn', from: at('Planned'), to: at('Preflight') },
  { name: 'a plan that was approved', from: at('AwaitingApproval'), to: at('Preflight') },
  { name: 'an install', from: at('Verifying', INSTALL), to: installed },
  { name: 'an install that fails', from: undefined, to: at('Failed', INSTALL) },
  { name: 'a plan that was taken back', from: at('AwaitingApproval', UPGRADE, installed), to: installed },
  { name: 'a refusal that was taken back', from: at('Refused', REFUSED, upgraded), to: upgraded, accepted: UPGRADE },
  { name: 'a failure that lasts', from: at('Failed'), to: at('Failed'), accepted: UPGRADE },
  { name: 'a refusal that lasts', from: at('Refused', REFUSED), to: at('Refused', REFUSED), accepted: UPGRADE },
  { name: 'a status that was lost during the soak', from: undefined, to: soaking, accepted: UPGRADE },
  { name: 'a status that was lost after it', from: undefined, to: upgraded, accepted: UPGRADE },
  { name: 'a status that was lost during the roll', from: undefined, to: at('Rolling'), accepted: UPGRADE },
  { name: 'a soak that goes on', from: soaking, to: soaking, accepted: UPGRADE },
  { name: 'rest', from: upgraded, to: upgraded, accepted: UPGRADE },
];

const newsOf = ({ from, to, accepted = INSTALL }: Omit<Case, 'news'>) =>
  upgradeNews({ before: from, next: to, accepted, why: WHY });

test.for(told)('$name: that is told', ({ news, ...turn }) => {
  const found = newsOf(turn).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  expect(found.map((text, i) => (news[i]?.includes(':') === true ? text : /^\w+ (\w+)/.exec(text)?.[1]))).toEqual(news);
});

test.for(told)('$name: told once', ({ to, accepted = INSTALL }) => {
  expect(newsOf({ name: '', from: to, to, accepted })).toEqual([]);
});

test.for(quiet)('$name is no news', (turn) => {
  expect(newsOf(turn)).toEqual([]);
});
