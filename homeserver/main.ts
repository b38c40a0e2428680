import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { runCommand } from './commands/run-command.ts';

// Run from source, stripped types are kept too. 2026-11, 2 cores: 0.9 s -> 0.6 s of CPU to ready. Where
// nothing can be written, as in the image, this does nothing.
enableCompileCache(fileURLToPath(new URL('../.cache/compile', import.meta.url)));

process.exitCode = await runCommand(process.argv.slice(2));
