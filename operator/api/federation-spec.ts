import * as z from 'zod';
import { ServerNameField } from '../../homeserver/contract/server-name.ts';
import { rules } from './cel.ts';

/** `spec.federation`. */
export const FederationSpec = z
  .object({
    mode: z
      .enum(['Enabled', 'Disabled'])
      .default('Enabled')
      .describe('Disabled: nothing that other Matrix servers ask for is served, the signing keys included.'),
    selfCheck: z
      .enum(['Direct', 'Notary', 'Off'])
      .default('Direct')
      .describe(
        'How the operator looks at this server as other servers see it: Direct asks the server name itself, Notary asks ' +
          'the servers of notaries what they see (where the cluster cannot reach its own public address), Off (in YAML with quotes: "Off") does not look.',
      ),
    notaries: z
      .array(
        z
          .string()
          .min(1)
          .max(230)
          .refine((name) => ServerNameField.safeParse(name).success)
          .describe('Server name of a notary, such as matrix.org.'),
      )
      .max(8)
      .optional()
      .describe('Matrix servers to ask in turn, until one answers.'),
  })
  .prefault({ mode: 'Enabled', selfCheck: 'Direct' })
  .describe('How this server stands towards other Matrix servers.')
  .meta(
    rules({
      rule: "self.selfCheck != 'Notary' || (has(self.notaries) && self.notaries.size() > 0)",
      message: 'federation.selfCheck Notary needs at least one server in federation.notaries',
    }),
  );
