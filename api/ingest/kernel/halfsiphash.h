/*
 * HalfSipHash-1-3 with 64-bit output, as profile/siphash.ts: of one input, and of four inputs of
 * equal length side by side.
 */
typedef unsigned int u32;
typedef u32 lanes __attribute__((vector_size(16)));
typedef unsigned char lane_bytes __attribute__((vector_size(16)));

typedef struct { u32 v0, v1, v2, v3; } state;
typedef struct { lanes v0, v1, v2, v3; } states;

#define ROTATE(x, bits) ((x) << (bits) | (x) >> (32 - (bits)))
#define ROUND(s)                    \
  do {                              \
    (s).v0 += (s).v1;               \
    (s).v1 = ROTATE((s).v1, 5) ^ (s).v0;  \
    (s).v0 = ROTATE((s).v0, 16);    \
    (s).v2 += (s).v3;               \
    (s).v3 = ROTATE((s).v3, 8) ^ (s).v2;  \
    (s).v0 += (s).v3;               \
    (s).v3 = ROTATE((s).v3, 7) ^ (s).v0;  \
    (s).v2 += (s).v1;               \
    (s).v1 = ROTATE((s).v1, 13) ^ (s).v2; \
    (s).v2 = ROTATE((s).v2, 16);    \
  } while (0)
#define ABSORB(s, word)        \
  do {                         \
    const u32 absorbed = word; \
    (s).v3 ^= absorbed;        \
    ROUND(s);                  \
    (s).v0 ^= absorbed;        \
  } while (0)

/* Rotations by whole bytes are one shuffle of bytes, others three operations. */
static inline lanes rotate_16(lanes x) {
  lane_bytes b = (lane_bytes)x;
  return (lanes)__builtin_shufflevector(b, b, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

static inline lanes rotate_8(lanes x) {
  lane_bytes b = (lane_bytes)x;
  return (lanes)__builtin_shufflevector(b, b, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}

#define ROUND_LANES(s)                    \
  do {                                    \
    (s).v0 += (s).v1;                     \
    (s).v1 = ROTATE((s).v1, 5) ^ (s).v0;  \
    (s).v0 = rotate_16((s).v0);           \
    (s).v2 += (s).v3;                     \
    (s).v3 = rotate_8((s).v3) ^ (s).v2;   \
    (s).v0 += (s).v3;                     \
    (s).v3 = ROTATE((s).v3, 7) ^ (s).v0;  \
    (s).v2 += (s).v1;                     \
    (s).v1 = ROTATE((s).v1, 13) ^ (s).v2; \
    (s).v2 = rotate_16((s).v2);           \
  } while (0)
#define ABSORB_LANES(s, words)  \
  do {                          \
    (s).v3 ^= (words);          \
    ROUND_LANES(s);             \
    (s).v0 ^= (words);          \
  } while (0)
#define SPLAT(word) {(word), (word), (word), (word)}

static inline states spread(state s) {
  states all = {SPLAT(s.v0), SPLAT(s.v1), SPLAT(s.v2), SPLAT(s.v3)};
  return all;
}

/* `last`: the rest of 0 to 3 bytes, and the length modulo 256 in its top byte. */
static inline void finish(state s, u32 last, u32 *out) {
  ABSORB(s, last);
  s.v2 ^= 0xee;
  ROUND(s);
  ROUND(s);
  ROUND(s);
  out[0] = s.v1 ^ s.v3;
  s.v1 ^= 0xdd;
  ROUND(s);
  ROUND(s);
  ROUND(s);
  out[1] = s.v1 ^ s.v3;
}

/* The ids of four inputs as rows `rows[lane]` of `out`. */
static inline void finish_lanes(states s, lanes last, u32 *out, const u32 *rows) {
  ABSORB_LANES(s, last);
  s.v2 ^= 0xee;
  ROUND_LANES(s);
  ROUND_LANES(s);
  ROUND_LANES(s);
  lanes low = s.v1 ^ s.v3;
  s.v1 ^= 0xdd;
  ROUND_LANES(s);
  ROUND_LANES(s);
  ROUND_LANES(s);
  lanes high = s.v1 ^ s.v3;
  for (u32 lane = 0; lane < 4; lane++) {
    out[rows[lane] * 2] = low[lane];
    out[rows[lane] * 2 + 1] = high[lane];
  }
}
