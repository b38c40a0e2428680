/** Gives each item to the next free worker; the first failure stops the handing out and is thrown once all have ended. */
export async function shareOut<Item, Worker>(
  items: readonly Item[],
  workers: readonly Worker[],
  work: (worker: Worker, item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  let failed = false;
  const run = async (worker: Worker) => {
    for (const item of waiting) {
      if (failed) return;
      try {
        await work(worker, item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(workers.map(run));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
