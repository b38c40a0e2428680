import type { Refusal } from './check-found.ts';

export interface DatabaseFacts {
  readonly name: string;
  readonly owner: string;
  readonly loginRole: string;
  readonly claim: string;
  /** Such as `17.2`. */
  readonly serverVersion: string;
  /** The login role that is not in use, while it may still log in. */
  readonly openLogin?: string;
  /** A spare database of ours that is there, and the drill that it was made for. */
  readonly spare?: { readonly drill: string | undefined };
}

export type ProvisionResult =
  /** `changes`: actions that were run; 0 when everything was there. */
  | { readonly ok: true; readonly facts: DatabaseFacts; readonly changes: number }
  | { readonly ok: false; readonly refusal: Refusal };
