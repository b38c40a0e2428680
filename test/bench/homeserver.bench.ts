import { parseArgs } from 'node:util';
import { type BenchWorld, makeWorld } from './support/bench-world.ts';
import { FIGURES, type Figure } from './support/homeserver-figures.ts';
import { MatrixClient } from './support/matrix-client.ts';
import { grow, largeInitialSync } from './support/growth.ts';
import { largeAnswers } from './support/large-answers.ts';
import { readCosts } from './support/read-costs.ts';
import { startOwnHomeserver, type OwnHomeserver } from './support/own-homeserver.ts';
import { printRows, row, writeRows, type Row } from './support/rows.ts';

const HELP = `npm run bench:homeserver -- --url URL [options]
npm run bench:homeserver -- --start [options]

Measures a Matrix homeserver through its client-server API with data that it makes itself.
The server must let the benchmark register users and must not limit its rate.

  --url URL                   client URL of the server to measure
  --start                     measure our own: start it on an embedded PostgreSQL, with figures of the process
  --peer URL                  another server, measured in turn with the first: prints ratios
  --registration-token TOKEN  if registration needs one (also used for the peer)
  --only NAME[,NAME]          just these: ${Object.keys(FIGURES).join(', ')}
  --members N                 users in the room that is measured (default 25)
  --grow                      with --start: then fill the database and measure again in a room of 10,000 members
  --events N                  events that --grow fills it to (default 1000000)
  --cost                      with --start: CPU time and statements a request of the reading endpoints instead
  --memory                    with --start: also resident memory right after each figure
  --profile FOLDER            with --start: write a CPU profile of our process into it
  --json FILE                 write rows of name, value, unit, target, ok
  --help                      this text
`;

/** Goals of a warm server on 2 cores shared with the load and PostgreSQL. */
const TARGETS: Readonly<Record<string, string>> = {
  'send x32 /s': '>= 300',
  'register /s': '>= 50',
  'sequential send p50 ms': '<= 4',
  'delivery p50 ms': '<= 8',
  'delivery p99 ms': '<= 25',
};

function options() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      start: { type: 'boolean', default: false },
      peer: { type: 'string' },
      'registration-token': { type: 'string' },
      only: { type: 'string' },
      members: { type: 'string', default: '25' },
      grow: { type: 'boolean', default: false },
      events: { type: 'string', default: '1000000' },
      cost: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      profile: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  return values;
}

function rowsOf(ours: Figure, peer: Figure | undefined): Row[] {
  return ours.map(({ name, unit, value, cpu }) => {
    const figure = { ...row(name, value, unit, TARGETS[`${name} ${unit}`]), cpu: cpu && { ...cpu } };
    const other = peer?.find((its) => its.name === name)?.value;
    return other === undefined ? figure : { ...figure, peer: other, ratio: value / other };
  });
}

async function open(url: string, token: string | undefined, members: number): Promise<BenchWorld> {
  process.stderr.write(`preparing ${members} users and a room on ${url}\n`);
  return makeWorld(new MatrixClient(url, token), members);
}

type Options = ReturnType<typeof options>;

interface Measuring {
  url: string;
  cpu?: BenchWorld['cpu'];
  /** Rows to add after each figure. */
  after?: ((figure: string) => Promise<Row[]>) | undefined;
}

async function measure({ url, cpu, after }: Measuring, names: readonly string[], values: Options): Promise<Row[]> {
  const token = values['registration-token'];
  const world = { ...(await open(url, token, Number(values.members))), cpu };
  const peer = values.peer === undefined ? undefined : await open(values.peer, token, Number(values.members));
  const rows: Row[] = [];
  for (const name of names) {
    const figure = FIGURES[name];
    if (figure === undefined) continue;
    process.stderr.write(`measuring ${name}\n`);
    const ours = await figure(world);
    rows.push(...rowsOf(ours, peer && (await figure(peer))), ...((await after?.(name)) ?? []));
  }
  world.client.close();
  peer?.client.close();
  return rows;
}

/** Rows that hand out every member of the room, which are measured by the event and not by the call, or that know other rooms. */
const NOT_GROWN = new Set(['members', 'initialSync', 'initialSyncOf50']);
const LARGE_ROOM = 10_000;
const ACCOUNT_ROOMS = 500;

/** The same figures in a large room of a large database; a rate may be half of what it was, a time twice. */
async function measureGrown(own: OwnHomeserver, names: readonly string[], values: Options): Promise<Row[]> {
  const small = await open(own.url, values['registration-token'], Number(values.members));
  const size = { events: Number(values.events), members: LARGE_ROOM, rooms: ACCOUNT_ROOMS };
  const before = await figuresOf(small, names);
  const { world, rows } = await grow(own.configFile, small, size);
  const after = await figuresOf(world, names);
  const grown = [...after].map(([name, value]) => {
    const was = before.get(name) ?? Number.NaN;
    return row(
      `grown: ${name}`,
      value,
      `(was ${was.toFixed(1)})`,
      name.endsWith('/s') ? `>= ${was / 2}` : `<= ${was * 2}`,
    );
  });
  const account = await largeInitialSync(world);
  const memory = await largeAnswers(own, world);
  small.client.close();
  return [...rows, ...grown, account, ...memory];
}

async function figuresOf(world: BenchWorld, names: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const name of names.filter((figure) => !NOT_GROWN.has(figure))) {
    for (const { name: of, unit, value } of (await FIGURES[name]?.(world)) ?? []) found.set(`${of} ${unit}`, value);
  }
  return found;
}

async function measureOwn(names: readonly string[], values: Options): Promise<Row[]> {
  const own = await startOwnHomeserver(values.profile);
  try {
    if (values.cost) return await measureCost(own, values);
    const idle = await own.memory();
    const process = [
      row('process start to ready', own.startSeconds, 's', '<= 1.5'),
      row('idle RSS', idle, 'MB', '<= 130'),
    ];
    const memory = async (name: string) => [row(`RSS after ${name}`, await own.memory(0), 'MB')];
    const rows = await measure({ ...own, after: values.memory ? memory : undefined }, names, values);
    const after = row('RSS after the run', await own.memory(), 'MB', '<= 170');
    const grown = values.grow ? await measureGrown(own, names, values) : [];
    return [...process, ...rows, after, ...grown];
  } finally {
    await own.stop();
  }
}

async function measureCost(own: OwnHomeserver, values: Options): Promise<Row[]> {
  const world = await open(own.url, values['registration-token'], Number(values.members));
  const rows = await readCosts(own, world, values.only?.split(','));
  world.client.close();
  return rows;
}

async function main(): Promise<number> {
  const values = options();
  const names = values.only?.split(',') ?? Object.keys(FIGURES);
  const known = (name: string) => values.cost || FIGURES[name] !== undefined;
  const chosen = values.start !== (values.url !== undefined);
  if (values.help === true || !chosen || !names.every(known)) {
    process.stdout.write(HELP);
    return values.help === true ? 0 : 2;
  }
  const rows =
    values.url === undefined ? await measureOwn(names, values) : await measure({ url: values.url }, names, values);
  printRows(rows);
  writeRows(values.json, rows);
  return rows.every((figure) => figure.ok) ? 0 : 1;
}

process.exitCode = await main();
