import * as z from 'zod';
import { openObject } from './fields.ts';
import { hostName } from './exposure-spec.ts';
import { TurnSpec } from './turn-spec.ts';

/** Version of Element Web that is served when the spec names none. */
export const ELEMENT_WEB_VERSION = '1.12.28';

const ElementWeb = z
  .object({
    host: hostName('Host at which people open it; routed in the same way as the server itself.'),
    version: z
      .string()
      .max(64)
      .regex(/^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$/)
      .optional()
      .describe(`Version of Element Web. Without it ${ELEMENT_WEB_VERSION}.`),
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe(
        'Whole image reference in place of docker.io/vectorim/element-web:v<version>; needs nginx and the files in /app.',
      ),
    config: openObject('Laid over the generated config.json of Element Web.').optional(),
  })
  .describe('Element Web, a client for browsers, that knows this server.');

const Rtc = z
  .object({
    external: z
      .object({
        url: z
          .string()
          .min(8)
          .max(512)
          .regex(/^https?:\/\/[^\s]+$/)
          .describe('URL of the service that gives clients access to LiveKit (lk-jwt-service).'),
      })
      .describe('A LiveKit that somebody else runs.'),
  })
  .describe('Group calls: clients are told in /.well-known/matrix/client where they are served.');

/** `spec.integrations`. */
export const IntegrationsSpec = z
  .object({ elementWeb: ElementWeb.optional(), turn: TurnSpec.optional(), rtc: Rtc.optional() })
  .describe('What stands beside the server.');

export type IntegrationsSpec = z.infer<typeof IntegrationsSpec>;
