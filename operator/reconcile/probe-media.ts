import { PROBES } from '../../homeserver/contract/layout.ts';
import { ReadyAnswer } from '../../homeserver/contract/readiness.ts';
import type { MediaReport } from '../conditions/observed.ts';
import { readAnswer } from './read-answer.ts';

/** What a replica says of the bucket for files, asked at the URL of its Service. Never rejects. */
export async function mediaState(url: string): Promise<MediaReport> {
  try {
    const { media } = ReadyAnswer.parse(JSON.parse(await readAnswer(`${url}${PROBES.ready}`)));
    if (media === undefined) return { state: 'unknown', because: 'this version does not say whether its bucket works' };
    const { problem } = media;
    return problem === undefined ? { state: 'usable' } : { state: 'unusable', problem: asFieldOfSpec(problem) };
  } catch {
    return { state: 'unknown', because: 'no replica has said whether its bucket works' };
  }
}

/** The configuration has a folder where the spec names the Secret that is mounted there. */
function asFieldOfSpec(problem: string): string {
  return `spec.${problem.replace(/^media\.s3\.credentialsDirectory:/, 'media.s3.credentialsSecretRef:')}`;
}
