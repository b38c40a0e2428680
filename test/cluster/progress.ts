/** Prints one line for a person, on standard error so that standard output stays for data. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

const REMIND_EVERY_MS = 20_000;

/** Runs a step with a line at its start and its end, and one every 20 s between, so that nothing long is silent. */
export async function step<T>(what: string, run: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  say(`- ${what} …`);
  const reminder = setInterval(() => say(`  still at it: ${what} (${seconds()})`), REMIND_EVERY_MS);
  try {
    const result = await run();
    say(`  done: ${what} (${seconds()})`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}
