/** An object as it is sent to the API server: plain JSON without `uid`, `resourceVersion` or `status`. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** The resource that children belong to. */
export interface Owner {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}
