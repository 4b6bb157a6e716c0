/**
 * HalfSipHash-1-3 with 64-bit output (Aumasson and Bernstein's reference `halfsiphash`): a keyed
 * hash made for 32-bit arithmetic. Keyed, so that nobody who pushes profiles can make two names
 * meet in one id. The bytes that are hashed for each id are fixed in docs/formats.md.
 */
export interface IdKey {
  k0: number;
  k1: number;
}
