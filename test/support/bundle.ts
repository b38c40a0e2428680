import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { inputDigest } from '../cluster/images/input-digest.ts';
import { withProcessLock } from '../cluster/process-lock.ts';

const root = join(import.meta.dirname, '..', '..');
const migrations = join(root, 'homeserver', 'storage', 'migrations');

/** The programs of the image: name of the bundle -> first source file. */
const programs = {
  homeserver: join(root, 'homeserver', 'main.ts'),
  'resolution-worker': join(root, 'homeserver', 'pipeline', 'resolution-worker.ts'), // a thread of the homeserver
  operator: join(root, 'operator', 'main.ts'),
};

const plugin = join(root, 'operator', 'plugin', 'main.ts');
const pluginTarget = join(root, 'dist', 'plugin', 'kubectl-matrix');

// Packages in the old module format call require(), which the format of the bundle does not have by itself.
const banner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

// The plugin runs with the Node that a person has: an old one is told so, in place of a stack trace.
const oldNode =
  "if (process.versions.node.split('.').map(Number).reduce((sum, part, i) => sum + part / 1000 ** i, 0) < 22.019) { process.stderr.write(`kubectl-matrix needs Node 22.19 or newer; this is ${process.version}\\n`); process.exit(1); }";

/**
 * `import` of node:http looks at all that it exports, and so loads the client behind `fetch`, which nothing of ours uses: as a module
 * of the old format it is not looked at. 2026-11: 2 to 3 MB of resident memory less.
 */
const httpWithoutFetch: Plugin = {
  name: 'http without fetch',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'http', namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /^http$/, namespace: 'builtin' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
  },
};

/** Which programs are made of this tree. */
export interface BundleOptions {
  /** Below dist. */
  folder: string;
  plugins: Plugin[];
  /** Folders whose migrations go beside our own. */
  moreMigrations: string[];
  /** As `programs`. */
  morePrograms?: Readonly<Record<string, string>>;
}

const OWN: BundleOptions = { folder: 'app', plugins: [], moreMigrations: [] };

/**
 * Bundles the homeserver and the operator with all they need from node_modules into a folder below dist, the migrations
 * beside them in its folder migrations; gives the folder.
 */
export async function bundle(options: BundleOptions = OWN): Promise<string> {
  const target = join(root, 'dist', options.folder);
  // Test files that run side by side ask for the same one.
  const name = `bundle-${createHash('sha256').update(target).digest('hex').slice(0, 16)}`;
  return withProcessLock(name, `another process bundles ${target}`, () => bundleAt(target, options));
}

async function bundleAt(target: string, options: BundleOptions): Promise<string> {
  for (const source of Object.values(programs)) {
    if (!existsSync(source)) throw new Error(`cannot bundle: there is no ${source}`);
  }
  const draft = `${target}.${process.pid}.partial`;
  try {
    await bundleInto(draft, options);
    // What is the same is left alone: another process may be reading it.
    if (existsSync(target) && (await inputDigest([draft])) === (await inputDigest([target]))) return target;
    await rm(target, { recursive: true, force: true });
    await rename(draft, target);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

async function bundleInto(folder: string, { plugins, moreMigrations, morePrograms }: BundleOptions): Promise<void> {
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: { ...programs, ...morePrograms },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    plugins: [httpWithoutFetch, ...plugins],
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: banner },
    external: ['pg-native'],
    splitting: true, // a command that is imported when it is chosen stays unread until then
    // White space is read into memory like the rest: 2026-11, 79 MB -> 74 MB resident for the operator. Names stay readable.
    minifyWhitespace: true,
    minifySyntax: true,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const from of [migrations, ...moreMigrations]) {
    await cp(from, join(folder, 'migrations'), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  }
}

/** Bundles the kubectl plugin into one executable file, which needs nothing but Node; gives its path. */
export async function bundlePlugin(): Promise<string> {
  const draft = `${pluginTarget}.${process.pid}.partial`;
  try {
    await build({
      entryPoints: [plugin],
      outfile: draft,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22.19',
      banner: { js: `${oldNode}\n${banner}` },
      // Optional parts of the WebSocket library, written in C.
      external: ['bufferutil', 'utf-8-validate'],
      minifyWhitespace: true,
      minifySyntax: true,
      keepNames: true,
      legalComments: 'none',
      logLevel: 'warning',
    });
    await chmod(draft, 0o755);
    await rename(draft, pluginTarget);
  } finally {
    await rm(draft, { force: true });
  }
  return pluginTarget;
}

if (import.meta.main) process.stdout.write(`${await bundle()}\n${await bundlePlugin()}\n`);
