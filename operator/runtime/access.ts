/** How to reach and convince one API server at this moment. */
export interface Access {
  /** Such as `https://10.0.0.1:443`, no slash at the end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Readonly<Record<string, unknown>>;
}
