import type {
  FoundKeys,
  FoundSecret,
  KeyAction,
  PublicKey,
  Remembered,
  WantedKeys,
} from '../../operator/signing-keys/key-facts.ts';
import { isOver, rankOf } from '../../operator/signing-keys/key-states.ts';
import type { KeyState } from '../../operator/signing-keys/key-states.ts';
import { contentText } from '../../operator/signing-keys/keyring-content.ts';
import type { KeyringContent, LedgerRow } from '../../operator/signing-keys/keyring-content.ts';
import { planKeys } from '../../operator/signing-keys/plan-keys.ts';

const HEARTBEAT_MS = 5000;
const PERMIT_MS = 25_000;
const DEAD_MS = 30_000;

interface Keyring {
  readonly generation: number;
  readonly content: KeyringContent;
  /** Public keys whose private half is in it. */
  readonly halves: readonly string[];
}

/** A process that serves: what it does by itself, and its row in the database. */
export interface WorldReplica {
  readonly id: string;
  keyring: Keyring;
  /** How far its clock is ahead, ms. */
  readonly aheadMs: number;
  isRunning: boolean;
  /** Cut off from the database: no heartbeat. */
  isCutOff: boolean;
  /** Until when it signs without a heartbeat, true time. */
  permitUntil: number;
  row: { generation: number; clock: number; heartbeat: number; lastSigned: Record<string, number> } | undefined;
  signed: Record<string, number>;
}

export interface Signature {
  readonly publicKey: string;
  /** By the clock of the replica, as `origin_server_ts` has it. */
  readonly ts: number;
}

const STATES = { published: 'Published', active: 'Active', retiring: 'Retiring' } as const;

/** Everything durable of one server's keys and its replicas, on which the operator's actions are carried out as the real ones are. */
export class KeyWorld {
  now = 1_800_000_000_000;
  readonly secrets = new Map<string, FoundSecret>();
  rows = new Map<string, LedgerRow>();
  decided: FoundKeys['decided'];
  keyring: Keyring | undefined;
  replicas: WorldReplica[] = [];
  floor = { generation: 0, at: 0 };
  lastSigned: Record<string, number> = {};
  status: FoundKeys['known'] = [];
  readonly signatures: Signature[] = [];
  /** Every keyring that was written, oldest first. */
  readonly written: Keyring[] = [];
  /** Public keys of keys whose revocation some replica has published. */
  readonly knownRevoked = new Set<string>();
  #drawn = 0;

  found(): FoundKeys {
    const { keyring } = this;
    return {
      serverName: 'example.org',
      now: this.now,
      secrets: this.secrets,
      brought: new Map(),
      rows: [...this.rows.values()],
      decided: this.decided,
      keyring: keyring === undefined ? undefined : foundKeyring(keyring),
      known: this.status,
      signing: {
        replicas: this.replicas.flatMap(({ id, row }) =>
          row === undefined ? [] : [{ id, ...row, isLive: row.heartbeat > this.now - DEAD_MS }],
        ),
        floor: this.floor,
        lastSigned: this.lastSigned,
      },
      usedElsewhere: new Map(),
      outside: undefined,
    };
  }

  /** One action of the operator, killed right after it; gives back what it was. */
  step(wanted: WantedKeys): KeyAction | undefined {
    const { action } = planKeys(wanted, this.found());
    if (action === undefined) this.writeStatus();
    else this.#act(action);
    return action;
  }

  writeStatus(): void {
    this.status = [...this.rows.values()].map(({ name, keyId, publicKey, state, expiredTs }) => ({
      name,
      keyId,
      publicKey,
      remembers: { state, expiredTs: isOver(state) ? expiredTs : undefined },
    }));
  }

  /** Time goes by; replicas that can, tell the database every 5 s that they live. */
  pass(ms: number): void {
    this.now += ms;
    for (const replica of this.replicas) {
      if (replica.isRunning && !replica.isCutOff && ms >= HEARTBEAT_MS) this.#beat(replica);
    }
  }

  start(aheadMs: number, keyring = this.keyring): void {
    if (keyring === undefined || this.replicas.length > 40) return;
    const replica: WorldReplica = {
      id: `r${this.replicas.length}`,
      keyring,
      aheadMs,
      isRunning: true,
      isCutOff: false,
      permitUntil: 0,
      row: { generation: 0, clock: this.now + aheadMs, heartbeat: this.now, lastSigned: {} },
      signed: {},
    };
    this.replicas.push(replica);
    this.#beat(replica);
  }

  /** The mounted file has been replaced: the replica takes it and reports it if it can. */
  adopt(replica: WorldReplica): void {
    if (!replica.isRunning || this.keyring === undefined) return;
    replica.keyring = this.keyring;
    for (const { publicKey } of this.keyring.content.oldKeys) {
      if (this.#rowOf(publicKey)?.state === 'Revoked') this.knownRevoked.add(publicKey);
    }
    if (!replica.isCutOff) this.#beat(replica);
  }

  /** Signs with what it holds, if its permit is good or a heartbeat makes it so; the signature, or undefined. */
  sign(replica: WorldReplica): Signature | undefined {
    if (!replica.isRunning) return undefined;
    if (this.now >= replica.permitUntil && !replica.isCutOff) this.#beat(replica);
    if (this.now >= replica.permitUntil) return undefined;
    const active = replica.keyring.content.keys.find(({ state }) => state === 'active');
    if (active === undefined) return undefined;
    const signature = { publicKey: active.publicKey, ts: this.now + replica.aheadMs };
    replica.signed[active.keyId] = Math.max(replica.signed[active.keyId] ?? 0, signature.ts);
    this.signatures.push(signature);
    return signature;
  }

  /** Ends in good order: the row goes, its signatures stay known. */
  close(replica: WorldReplica): void {
    if (!replica.isRunning || replica.isCutOff) return;
    for (const [keyId, ts] of Object.entries(replica.signed)) {
      this.lastSigned[keyId] = Math.max(this.lastSigned[keyId] ?? 0, ts);
    }
    replica.isRunning = false;
    replica.row = undefined;
  }

  #beat(replica: WorldReplica): void {
    const { generation } = replica.keyring;
    replica.row = {
      generation,
      clock: this.now + replica.aheadMs,
      heartbeat: this.now,
      lastSigned: { ...replica.signed },
    };
    replica.permitUntil = this.floor.generation > generation ? 0 : this.now + PERMIT_MS;
  }

  #rowOf(publicKey: string): LedgerRow | undefined {
    return [...this.rows.values()].find((row) => row.publicKey === publicKey);
  }

  #act(action: KeyAction): void {
    switch (action.kind) {
      case 'mint':
        this.#drawn += 1;
        this.#keep(action.name, { keyId: `ed25519:${this.#drawn}`, publicKey: `P${this.#drawn}` }, action.remembers);
        return;
      case 'restore':
        return this.#keep(action.name, action.key);
      case 'import':
        return;
      case 'note': {
        const secret = this.secrets.get(action.name);
        if (secret !== undefined) this.secrets.set(action.name, { ...secret, remembers: action.remembers });
        return;
      }
      case 'destroy':
        this.secrets.delete(action.name);
        return;
      case 'write':
        return this.#write(action.generation, action.content);
      case 'record':
      case 'move':
      case 'expire':
      case 'visible':
      case 'forget':
      case 'destroyed':
      case 'floor':
      case 'decide':
      case 'restart':
        return this.#actInDatabase(action);
    }
  }

  #keep(name: string, { keyId, publicKey }: PublicKey, remembers?: Remembered): void {
    if (!this.secrets.has(name)) this.secrets.set(name, { keyId, publicKey, remembers });
  }

  #write(generation: number, content: KeyringContent): void {
    const at = [...this.secrets.values()].flatMap((secret) => [secret.publicKey]);
    const known = new Set([...at, ...(this.keyring?.halves ?? [])]);
    const halves = content.keys.map(({ publicKey }) => publicKey).filter((key) => known.has(key));
    this.keyring = { generation, content, halves };
    this.written.push(this.keyring);
  }

  #actInDatabase(action: Exclude<KeyAction, { kind: 'mint' | 'restore' | 'import' | 'note' | 'destroy' | 'write' }>) {
    switch (action.kind) {
      case 'record':
        return this.#record(action);
      case 'move':
        for (const { name, to, expiredTs } of action.moves) this.#move(name, to, expiredTs);
        return;
      case 'expire':
        return this.#edit(action.name, (row) => ({ expiredTs: row.expiredTs ?? action.expiredTs }));
      case 'visible':
        for (const name of action.names) this.#edit(name, () => ({ visibleSince: this.now }));
        return;
      case 'forget':
        this.rows.delete(action.name);
        return;
      case 'destroyed':
        return this.#edit(action.name, () => ({ isDestroyed: true }));
      case 'floor':
        this.floor = { generation: Math.max(this.floor.generation, action.generation), at: this.now };
        return;
      case 'decide': {
        const { generation, content } = action;
        this.decided = { generation, content: contentText(content), at: this.now, restarted: 0 };
        return;
      }
      case 'restart':
        if (this.decided !== undefined) this.decided = { ...this.decided, restarted: action.generation };
    }
  }

  #record({ name, key, state, expiredTs, isEarlier = false }: Extract<KeyAction, { kind: 'record' }>): void {
    const before = this.rows.get(name);
    if (before !== undefined && rankOf(before.state) >= rankOf(state)) return;
    const fresh = { ...key, name, visibleSince: undefined, isDestroyed: isEarlier };
    this.rows.set(name, { ...fresh, ...before, state, since: this.now, expiredTs: expiredTs ?? before?.expiredTs });
  }

  #move(name: string, to: KeyState, expiredTs: number | undefined): void {
    this.#edit(name, (row) => ({
      state: to,
      since: row.state === to ? row.since : this.now,
      expiredTs:
        to === 'Revoked' ? Math.min(row.expiredTs ?? Infinity, expiredTs ?? Infinity) : (row.expiredTs ?? expiredTs),
    }));
  }

  #edit(name: string, change: (row: LedgerRow) => Partial<LedgerRow>): void {
    const row = this.rows.get(name);
    if (row !== undefined) this.rows.set(name, { ...row, ...change(row) });
  }
}

function foundKeyring({ generation, content, halves }: Keyring): NonNullable<FoundKeys['keyring']> {
  const keys = content.keys.filter(({ publicKey }) => halves.includes(publicKey));
  const states = new Map(content.keys.map(({ publicKey, state }) => [publicKey, STATES[state]]));
  const sound = content.keys.every(({ publicKey, state }) => state === 'retiring' || halves.includes(publicKey));
  return { generation, content: contentText(content), keys, states, sound };
}
