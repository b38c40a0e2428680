import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyWorld } from '../../test/support/key-world.ts';
import type { WorldReplica } from '../../test/support/key-world.ts';
import type { KeyAction, WantedKey, WantedKeys } from './key-facts.ts';
import { isOver } from './key-states.ts';
import { contentText, keyringContent } from './keyring-content.ts';

const VALIDITY_SECONDS = 86_400;
const T1 = (VALIDITY_SECONDS / 2 + 300) * 1000;
const SECOND = 1000;
const HOUR = 3_600_000;

type Goal = WantedKey['state'];

/** The spec as people change it: each change is one that the API server lets through. */
class Git {
  readonly goals = new Map<string, { state: Goal; compromisedAt: number | undefined }>([
    ['k1', { state: 'Active', compromisedAt: undefined }],
  ]);

  wanted(): WantedKeys {
    const keys = [...this.goals].map(([name, goal]) => ({ name, ...goal, isBrought: false, earlier: undefined }));
    return { serverName: 'example.org', validitySeconds: VALIDITY_SECONDS, keys };
  }

  add(state: 'Staged' | 'Published'): void {
    if (this.goals.size < 6) this.goals.set(`k${this.goals.size + 1}`, { state, compromisedAt: undefined });
  }

  /** A new key, or one that is ready, takes over; the old one retires or is revoked. */
  succeed(old: 'Retired' | 'Revoked', compromisedAt: number): void {
    const next = [...this.goals].find(([, { state }]) => state === 'Published' || state === 'Staged')?.[0];
    const name = next ?? `k${this.goals.size + 1}`;
    if (this.goals.size >= 6 && next === undefined) return;
    for (const [other, { state }] of this.goals) if (state === 'Active') this.#end(other, old, compromisedAt);
    this.goals.set(name, { state: 'Active', compromisedAt: undefined });
  }

  revokeRetired(compromisedAt: number): void {
    for (const [name, { state }] of this.goals) if (state === 'Retired') this.#end(name, 'Revoked', compromisedAt);
  }

  #end(name: string, state: 'Retired' | 'Revoked', compromisedAt: number): void {
    this.goals.set(name, { state, compromisedAt: state === 'Revoked' ? compromisedAt : undefined });
  }
}

const which = fc.nat({ max: 5 });
const eventsWith = (...clocks: readonly number[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant('run' as const), times: fc.constantFrom(1, 1, 2, 8) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('sign' as const), which }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('adopt' as const), which }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.constantFrom(
          SECOND,
          SECOND,
          6 * SECOND,
          26 * SECOND,
          31 * SECOND,
          6 * SECOND,
          26 * SECOND,
          40 * SECOND,
          61 * SECOND,
          6 * 60 * SECOND,
          13 * HOUR,
          25 * HOUR,
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('start' as const),
        aheadMs: fc.constantFrom(...clocks),
        stale: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('crash' as const, 'close' as const, 'cut off' as const, 'join again' as const),
        which,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        state: fc.constantFrom('Staged' as const, 'Published' as const),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('succeed' as const),
        old: fc.constantFrom('Retired' as const, 'Retired' as const, 'Revoked' as const),
        agoMs: fc.constantFrom(0, HOUR, -HOUR),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('revoke retired' as const), agoMs: fc.constantFrom(0, 30 * HOUR) }),
    },
  );
const quiet = eventsWith(0, 25_000, -25_000, 120_000);
/** Without a clock that is wrong by minutes: what it signed is known by rows that a restored database has lost. */
const tolerable = eventsWith(0, 25_000, -25_000);
const harm = fc.oneof(
  { weight: 20, arbitrary: tolerable },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'lose secret' as const,
        'save database' as const,
        'restore database' as const,
        'lose keyring' as const,
      ),
      which,
    }),
  },
);
type Event = typeof harm extends fc.Arbitrary<infer T> ? T : never;

type Beginning = 'one key' | 'a rotation';
const beginning = fc.constantFrom<Beginning>('one key', 'a rotation');

/** fast-check prefers short lists, in which no key comes to its end. */
const LONG = { minLength: 40, maxLength: 100, size: 'max' } as const;

class Story {
  readonly world = new KeyWorld();
  readonly git = new Git();

  #isRestored = false;

  /** One key that signs, on two replicas; or already its successor, in the moment in which the old one leaves. */
  constructor(beginning: Beginning) {
    const { world, git } = this;
    this.settle();
    world.start(0);
    world.start(20 * SECOND);
    this.settle();
    if (beginning === 'one key') return;
    git.add('Published');
    this.settle();
    for (const replica of world.replicas) world.adopt(replica);
    this.settle();
    world.pass(13 * HOUR);
    git.succeed('Retired', 0);
    while (this.run()) if (world.rows.get('k1')?.state === 'Retiring') break;
  }

  #saved: Pick<KeyWorld, 'rows' | 'decided' | 'floor' | 'lastSigned'> | undefined;

  play(event: Event): void {
    const { world, git } = this;
    const replica = 'which' in event ? world.replicas.at(-1 - event.which) : undefined;
    switch (event.kind) {
      case 'run':
        for (let i = 0; i < event.times; i += 1) this.run();
        return undefined;
      case 'pass':
        return world.pass(event.ms);
      case 'start':
        return world.start(event.aheadMs, event.stale ? world.written.at(-2) : undefined);
      case 'add':
        return git.add(event.state);
      case 'succeed':
        return git.succeed(event.old, world.now - event.agoMs);
      case 'revoke retired':
        return git.revokeRetired(world.now - event.agoMs);
      case 'crash':
      case 'close':
      case 'cut off':
      case 'join again':
      case 'adopt':
      case 'sign':
        if (replica !== undefined) this.#happen(event.kind, replica);
        return undefined;
      case 'lose secret':
      case 'lose keyring':
      case 'save database':
      case 'restore database':
        return this.#harm(event.kind, event.which);
    }
  }

  #harm(kind: string, number: number): void {
    const { world } = this;
    if (kind === 'lose secret') world.secrets.delete(`k${number + 1}`);
    if (kind === 'lose keyring') world.keyring = undefined;
    if (kind === 'save database') {
      const { rows, decided, floor, lastSigned } = world;
      this.#saved = { rows: new Map(rows), decided, floor, lastSigned: { ...lastSigned } };
    }
    // Replicas find their row gone and end. Until the operator has looked, an old keyring may sign again.
    if (kind === 'restore database' && this.#saved !== undefined) {
      Object.assign(world, { ...this.#saved, rows: new Map(this.#saved.rows) });
      world.replicas = [];
      this.#isRestored = true;
    }
  }

  #happen(kind: string, replica: WorldReplica): void {
    const { world } = this;
    if (kind === 'crash') replica.isRunning = false;
    if (kind === 'close') world.close(replica);
    if (kind === 'cut off') replica.isCutOff = true;
    if (kind === 'join again') replica.isCutOff = false;
    if (kind === 'adopt') world.adopt(replica);
    if (kind === 'sign') this.#sign(replica);
  }

  #sign(replica: WorldReplica): void {
    const { world } = this;
    const revoked = new Set(this.#isRestored ? [] : world.knownRevoked);
    const signature = world.sign(replica);
    // Nobody signs with a key after its revocation is known to anybody.
    if (signature !== undefined) expect([...revoked]).not.toContain(signature.publicKey);
  }

  /** One action; false when none is left. */
  run(): boolean {
    const { now } = this.world;
    const action = this.world.step(this.git.wanted());
    if (action !== undefined) this.#checkAction(action, now);
    this.checkLedger();
    return action !== undefined;
  }

  settle(): void {
    for (let steps = 0; this.run(); steps += 1) expect(steps).toBeLessThan(100);
  }

  /** What must hold at the moment of an action. */
  #checkAction(action: KeyAction, now: number): void {
    const { world } = this;
    if (action.kind === 'write') {
      expect(action.content.keys.filter(({ state }) => state === 'active')).toHaveLength(1);
      for (const { publicKey, state } of action.content.keys) {
        // Published only if durable; only a lost key that signs no more may lack its private half.
        if (state !== 'retiring') expect(world.keyring?.halves).toContain(publicKey);
      }
    }
    if (action.kind !== 'move') return;
    const left = action.moves.find(({ to }) => to === 'Retiring');
    const next = action.moves.find(({ to }) => to === 'Active');
    if (left === undefined || next === undefined || !world.secrets.has(left.name)) return;
    // T1: longer than any replica that could be asked has given an answer without the key.
    expect(now - (world.rows.get(next.name)?.visibleSince ?? now)).toBeGreaterThanOrEqual(T1);
  }

  checkLedger(): void {
    const { rows, signatures } = this.world;
    for (const { publicKey, state, expiredTs } of rows.values()) {
      if (state === 'Revoked' || expiredTs === undefined) continue;
      const last = Math.max(0, ...signatures.filter((one) => one.publicKey === publicKey).map(({ ts }) => ts));
      expect(last, `an honest signature after the end of ${publicKey}`).toBeLessThanOrEqual(expiredTs);
    }
  }

  /** A published key stays published, under one id, and one name never stands for two keys that were published. */
  checkPublished(): void {
    const { written, rows } = this.world;
    let before = new Set<string>();
    for (const { content } of written) {
      const now = new Set([...content.keys, ...content.oldKeys].map(({ keyId, publicKey }) => `${keyId} ${publicKey}`));
      expect([...before].filter((key) => !now.has(key))).toEqual([]);
      before = now;
    }
    const names = [...rows.values()].filter(({ state }) => state !== 'Staged').map(({ publicKey }) => publicKey);
    expect(new Set(names).size).toBe(names.length);
  }
}

test('whatever happens in whatever order, the operator killed after any action: no invariant breaks', () => {
  fc.assert(
    fc.property(beginning, fc.array(quiet, LONG), (from, events) => {
      const story = new Story(from);
      for (const event of events) story.play(event);
      story.checkPublished();
    }),
    { numRuns: 500 },
  );
});

test('with Secrets lost and the database restored in between, no honest signature is disowned and no name is drawn twice', () => {
  fc.assert(
    fc.property(beginning, fc.array(harm, LONG), (from, events) => {
      const story = new Story(from);
      for (const event of events) story.play(event);
      const published = story.world.written.flatMap(({ content }) => content.keys);
      const ids = new Map(published.map(({ keyId, publicKey }) => [keyId, publicKey]));
      for (const { keyId, publicKey } of published) expect(ids.get(keyId)).toBe(publicKey);
    }),
    { numRuns: 500 },
  );
});

test('after any such beginning, time and replicas that work bring every key where the spec wants it', () => {
  fc.assert(
    fc.property(beginning, fc.array(quiet, LONG), (from, events) => {
      const story = new Story(from);
      for (const event of events) story.play(event);
      const { world, git } = story;
      for (const replica of world.replicas) replica.isRunning = false;
      for (let round = 0; round < 30; round += 1) {
        story.settle();
        if (world.replicas.every(({ isRunning }) => !isRunning)) world.start(0);
        for (const replica of world.replicas) world.adopt(replica);
        world.pass(round % 2 === 0 ? 40 * SECOND : 13 * HOUR);
      }
      // A key that was never there cannot end: KeyUnknown.
      const known = [...git.goals].filter(([name, { state }]) => world.rows.has(name) || !isOver(state));
      for (const [name, { state }] of known) expect(world.rows.get(name)?.state).toBe(state);
      const over = [...world.rows.values()].filter(({ state }) => isOver(state));
      expect(over.filter(({ isDestroyed, name }) => !isDestroyed || world.secrets.has(name))).toEqual([]);
      const wanted = git.wanted();
      expect(contentText(world.keyring?.content ?? keyringContent(wanted, []))).toBe(
        contentText(keyringContent(wanted, [...world.rows.values()])),
      );
    }),
    { numRuns: 100 },
  );
});
