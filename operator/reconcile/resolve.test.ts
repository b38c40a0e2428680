import { expect, test } from 'vitest';
import { CATALOGUE, Catalogue } from '../upgrades/catalogue.ts';
import { resolveImage } from './resolve.ts';

const own = 'registry.example:5000/team/matrix-operator:1.2-abc';
const digest = `sha256:${'a'.repeat(64)}`;
const catalogued = `sha256:${'b'.repeat(64)}`;
const base = 'registry.example:5000/team/matrix-operator';

const entry = { ...CATALOGUE.versions[CATALOGUE.default] };
const catalogue = Catalogue.parse({
  default: '2.0.0',
  versions: { '1.0.0': entry, '1.1.0': { ...entry, digest: catalogued }, '2.0.0': entry },
});

interface Case {
  name: string;
  image?: { repository?: string; digest?: string };
  version: string;
  /** Image of the same version that is deployed. */
  running?: string;
  wanted: string;
}

const cases: Case[] = [
  { name: "the operator's own image serves its own version", version: '2.0.0', wanted: own },
  { name: 'another version comes from the same repository', version: '1.0.0', wanted: `${base}:1.0.0` },
  { name: 'the digest of the catalogue replaces the tag', version: '1.1.0', wanted: `${base}@${catalogued}` },
  {
    name: 'a mirror has its versions as tags',
    image: { repository: 'mirror.example/hs' },
    version: '2.0.0',
    wanted: 'mirror.example/hs:2.0.0',
  },
  { name: 'a digest of the spec replaces all', image: { digest }, version: '2.0.0', wanted: `${base}@${digest}` },
  {
    name: 'a tag that runs the version stays, so that a newer operator restarts nobody',
    version: '1.1.0',
    running: `${base}:1.1.0-build`,
    wanted: `${base}:1.1.0-build`,
  },
  {
    name: 'a digest that the spec no longer names goes',
    version: '1.0.0',
    running: `${base}@${digest}`,
    wanted: `${base}:1.0.0`,
  },
  {
    name: 'an image of another repository goes',
    version: '1.0.0',
    running: 'mirror.example/hs:1.0.0',
    wanted: `${base}:1.0.0`,
  },
];

test.for(cases)('$name', ({ image, version, running, wanted }) => {
  const deployed = running === undefined ? undefined : { version, image: running };
  const found = resolveImage({ image, settings: { catalogue, homeserverImage: own } }, version, deployed);
  expect(found.reference).toBe(wanted);
});
