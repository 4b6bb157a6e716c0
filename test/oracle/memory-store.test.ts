import { describeStore, type StorePlace } from '../conformance/store.ts';
import { type MemoryPlace, openMemoryStore } from './memory-store.ts';

async function makePlace(): Promise<StorePlace> {
  const place: MemoryPlace = { idKey: { k0: 1, k1: 2 }, changes: [] };
  return { open: async () => openMemoryStore(place), remove: async () => undefined };
}

describeStore('memory', makePlace);
