/**
 * Loads the programs once and ends: what was compiled is written to NODE_COMPILE_CACHE only by a process that ends by itself, which
 * those that tests kill do not. Start of the operator then takes 0.4 s of CPU instead of 0.85 s, that of the homeserver 0.45 instead of 1.1.
 */
import '../../homeserver/commands/start-replica.ts';
import '../../operator/reconcile/operator.ts';

process.exit(0);
