import { parseArgs } from 'node:util';
import * as z from 'zod';
import { keyWaits } from '../../signing-keys/key-times.ts';
import { changeSpec } from '../change-spec.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, theName, wantsJson } from '../command.ts';
import type { Found } from '../find-homeserver.ts';
import { findHomeserver } from '../find-homeserver.ts';
import type { Rotation, RotationWish } from '../plan-rotation.ts';
import { planRotation } from '../plan-rotation.ts';
import type { Terminal } from '../terminal.ts';
import { PluginError, UsageError } from '../terminal.ts';
import { hoursAndMinutes, withDistance } from '../text/times.ts';

export const rotateKey: PluginCommand = {
  help: `kubectl matrix rotate-key NAME: the change of spec.signingKeys that a rotation needs next.

Three changes make a rotation: a new key is Staged, then Published, then Active while the old one is Retired.

  --whole                the last of them at once; the operator walks through the others by itself
  --revoke KEY           a key that may be in other hands; if it signs, another one takes its place at once
  --compromised-at TIME  with --revoke: since when, such as 2026-11-01T00:00:00Z, or now
  --apply                write the change to the cluster; otherwise it is only printed, to be committed
${CLUSTER_HELP}
`,
  run: async (args, at) => {
    const options = {
      ...CLUSTER_OPTIONS,
      whole: { type: 'boolean' },
      revoke: { type: 'string' },
      'compromised-at': { type: 'string' },
      apply: { type: 'boolean' },
    } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    const wish = readWish(values, at.now());
    return withCluster(values, at, async (cluster) => {
      const found = await findHomeserver(cluster, name);
      const rotation = planFor(found, wish);
      if (rotation.kind === 'refused') throw new PluginError(rotation.message);
      if (rotation.kind === 'wait') return sayWait(at, rotation, asJson);
      const change = {
        name,
        patch: { spec: { signingKeys: { keys: rotation.keys } } },
        operations: [
          { op: 'test', path: '/spec/signingKeys/keys', value: rawKeys(found) },
          { op: 'replace', path: '/spec/signingKeys/keys', value: rotation.keys },
        ],
        why: rotation.why,
      } as const;
      const again = `kubectl matrix rotate-key -n ${cluster.namespace} ${name}${wishWords(wish)} --apply`;
      await changeSpec(cluster, at, change, { apply: values.apply === true, asJson, again });
      return 0;
    });
  },
};

interface Words {
  readonly whole?: boolean | undefined;
  readonly revoke?: string | undefined;
  readonly 'compromised-at'?: string | undefined;
}

function readWish({ whole, revoke, 'compromised-at': since }: Words, now: number): RotationWish {
  if (revoke === undefined) {
    if (since !== undefined) throw new UsageError('--compromised-at is for --revoke');
    return { kind: whole === true ? 'whole' : 'step' };
  }
  if (whole === true) throw new UsageError('--whole and --revoke do not go together');
  if (since === undefined) throw new UsageError('--revoke needs --compromised-at: since when may others have the key?');
  return { kind: 'revoke', name: revoke, compromisedAt: readTime(since, now) };
}

const Time = z.iso.datetime({ offset: true });

function readTime(text: string, now: number): string {
  const at = text === 'now' ? now : Date.parse(Time.safeParse(text).data ?? '');
  if (Number.isNaN(at))
    throw new UsageError(`--compromised-at: a time such as 2026-11-01T00:00:00Z is allowed, not ${text}`);
  if (at > now) throw new UsageError(`--compromised-at: ${text} has not come yet`);
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

function wishWords(wish: RotationWish): string {
  if (wish.kind === 'revoke') return ` --revoke ${wish.name} --compromised-at ${wish.compromisedAt}`;
  return wish.kind === 'whole' ? ' --whole' : '';
}

const Raw = z.looseObject({
  spec: z.looseObject({
    signingKeys: z.looseObject({ keys: z.array(z.looseObject({ name: z.string(), state: z.string() })) }),
  }),
});

/** The keys with all that the API server has of them. */
function rawKeys({ object }: Found) {
  return Raw.parse(object).spec.signingKeys.keys;
}

function planFor(found: Found, wish: RotationWish): Rotation {
  const { spec, status } = found.homeserver;
  const { publishMs } = keyWaits(spec.signingKeys.validitySeconds, 1);
  const publishTime = hoursAndMinutes(publishMs);
  return planRotation({ keys: rawKeys(found), found: status.signingKeys ?? [], publishTime }, wish);
}

function sayWait(at: Terminal, { message, until }: Rotation & { kind: 'wait' }, asJson: boolean): number {
  if (asJson) at.write(json({ patch: null, applied: false, notes: [message], until: until ?? null }));
  else at.tell(`${message}${until === undefined ? '' : `; ${withDistance(until, at.now())}`}`);
  return 0;
}
