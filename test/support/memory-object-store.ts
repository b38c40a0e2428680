import type { ObjectStore } from '../../homeserver/object-store/object-store.ts';

/** A store in memory, and what lies in it; what is in `changes` behaves otherwise. */
export function memoryObjectStore(changes: Partial<ObjectStore> = {}) {
  const objects = new Map<string, Buffer>();
  const store: ObjectStore = {
    place: 's3://files/test.example/media/',
    put: (name, bytes) => {
      objects.set(name, Buffer.from(bytes));
      return Promise.resolve();
    },
    get: (name) => Promise.resolve(objects.get(name)),
    list: async function* () {
      yield* objects.keys();
    },
    listFolders: () => Promise.resolve([]),
    delete: (name) => {
      objects.delete(name);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
    ...changes,
  };
  return { store, objects };
}
