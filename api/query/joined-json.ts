/** JSON of long lists, made in parts so that the main thread does other work between them. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Characters of JSON between two turns of the event loop: some milliseconds. */
const CHARACTERS_PER_TURN = 500_000;

/** The items' JSON as one array's. */
export async function joinJson<T>(
  items: readonly T[],
  toJson: (item: T) => unknown,
): Promise<string> {
  const texts: string[] = [];
  let spent = 0;
  for (const item of items) {
    const text = JSON.stringify(toJson(item));
    texts.push(text);
    spent += text.length;
    if (spent < CHARACTERS_PER_TURN) continue;
    spent = 0;
    await nextTurn();
  }
  return `[${texts.join(',')}]`;
}
