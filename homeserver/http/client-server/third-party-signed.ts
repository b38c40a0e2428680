import { MatrixError } from '../../errors.ts';

/** Invites by e-mail address are not served, so no proof of one can be honoured. Errors: M_INVALID_PARAM. */
export function refuseThirdPartySigned(body: { third_party_signed?: unknown }): void {
  if (body.third_party_signed === undefined || body.third_party_signed === null) return;
  throw new MatrixError('M_INVALID_PARAM', 'third_party_signed: this server knows no third-party invites');
}
