import { readFileSync } from 'node:fs';

const dockerfile = new URL('../../Dockerfile', import.meta.url);

/** What the image's Dockerfile sets for every program in it, but for the compile cache, which lies inside the image. */
export function imageEnvironment(): Record<string, string> {
  const pairs = readFileSync(dockerfile, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('ENV '))
    .flatMap((line) => line.slice('ENV '.length).split(' '))
    .map((pair): [string, string] => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
  return Object.fromEntries(pairs.filter(([name]) => name !== 'NODE_COMPILE_CACHE'));
}
