/** Marsaglia's xorshift32, started anew for each input, so that one alone can be made again. */
export type Random = (below: number) => number;

export function randomOf(seed: number, run: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(run + 1, 0x85ebca6b);
  if (state === 0) state = 1;
  const random: Random = (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  for (let i = 0; i < 8; i++) random(2);
  return random;
}

export function oneOf<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}
