/** A seeded generator (xorshift128), so that a corpus is the same bytes on every machine. */
export interface Random {
  /** Uniform in [0, 2^32). */
  next(): number;
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform integer in [low, high]. */
  between(low: number, high: number): number;
}

export function createRandom(seed: number): Random {
  let a = 123456789 ^ seed;
  let b = 362436069;
  let c = 521288629;
  let d = 88675123;
  const next = () => {
    const t = a ^ (a << 11);
    a = b;
    b = c;
    c = d;
    d = (d ^ (d >>> 19) ^ t ^ (t >>> 8)) | 0;
    return d >>> 0;
  };
  for (let i = 0; i < 20; i++) next();
  const fraction = () => next() / 2 ** 32;
  return {
    next,
    fraction,
    between: (low, high) => low + Math.floor(fraction() * (high - low + 1)),
  };
}

/** Draws ranks 0..count-1 with probability proportional to 1 / (rank + shift)^exponent. */
export function createZipf(random: Random, count: number, exponent: number, shift: number) {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + shift) ** -exponent;
    cumulative[rank] = sum;
  }
  return () => {
    const target = random.fraction() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] ?? 0) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
