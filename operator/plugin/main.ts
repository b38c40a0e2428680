#!/usr/bin/env node
import { text as readAll } from 'node:stream/consumers';
import { runPlugin } from './run.ts';
import { readSettings } from './settings.ts';

const { kubeconfig, noColour } = readSettings();
const interrupt = new AbortController();
process.once('SIGINT', () => {
  interrupt.abort();
  // The second one ends the process, whatever hangs.
  process.once('SIGINT', () => process.exit(130));
});
// The reader has gone, as with `| head`: no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runPlugin(process.argv.slice(2), {
  write: (text) => process.stdout.write(text),
  tell: (line) => process.stderr.write(`${line}\n`),
  colours: process.stdout.isTTY && !noColour,
  readInput: () => readAll(process.stdin),
  kubeconfig,
  now: Date.now,
  interrupted: interrupt.signal,
});
