import manifest from '../../package.json' with { type: 'json' };

/** Version of this program, the same as of its image. */
export const SOFTWARE_VERSION: string = manifest.version;
