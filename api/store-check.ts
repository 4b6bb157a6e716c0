/** A store's check in the words of the API, for the server and for the command alike. */
import type { StoreCheck } from '../store/store.ts';
import type { StoreCheckJson } from '../wire/http.ts';

export function storeCheckJson({ files, bytes, rows, faults }: StoreCheck): StoreCheckJson {
  return {
    files,
    bytes,
    rows,
    faults: faults.map(({ place, what, range, samples }) => ({
      place,
      what,
      from_ms: range?.from ?? null,
      to_ms: range?.to ?? null,
      samples,
    })),
  };
}
