/* Where the frames are, and the ids of all rows. */
static inline u32 load(const u8 *p) {
  u32 word;
  __builtin_memcpy(&word, p, 4);
  return word;
}

/* As the Encoding Standard has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static u32 is_utf8(const u8 *p, const u8 *end) {
  while (p < end) {
    u32 byte = *p++;
    if (byte < 0x80) continue;
    u32 more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    u32 low = 0x80, high = 0xbf;
    if (byte < 0xc2 || byte > 0xf4 || (u32)(end - p) < more) return 0;
    if (byte == 0xe0) low = 0xa0;
    if (byte == 0xed) high = 0x9f;
    if (byte == 0xf0) low = 0x90;
    if (byte == 0xf4) high = 0x8f;
    for (; more > 0; more--, low = 0x80, high = 0xbf) {
      if (*p < low || *p > high) return 0;
      p++;
    }
  }
  return 1;
}

/* Items of equal length are hashed side by side; those of more words than this one by one. */
#define BUCKETS 128
static u32 bucket_ends[BUCKETS];

/* Sorts rows into `order` by a length in words, the long ones last. */
#define SORT_ROWS(count, words_of)                                           \
  do {                                                                       \
    for (u32 i = 0; i < BUCKETS; i++) bucket_ends[i] = 0;                    \
    for (u32 row = 0; row < (count); row++) {                                \
      u32 length = (words_of);                                               \
      bucket_ends[length < BUCKETS ? length : BUCKETS - 1]++;                \
    }                                                                        \
    for (u32 i = 0, sum = 0; i < BUCKETS; i++) {                             \
      u32 rows_here = bucket_ends[i];                                        \
      bucket_ends[i] = sum;                                                  \
      sum += rows_here;                                                      \
    }                                                                        \
    for (u32 row = 0; row < (count); row++) {                                \
      u32 length = (words_of);                                               \
      order[bucket_ends[length < BUCKETS ? length : BUCKETS - 1]++] = row;   \
    }                                                                        \
  } while (0)

/* The four rows from `at` on; where there are fewer, the last one stands for the others. */
static inline void four_rows(u32 at, u32 end, u32 *four) {
  for (u32 lane = 0; lane < 4; lane++) four[lane] = order[at + lane < end ? at + lane : end - 1];
}

/* The last 0 to 3 bytes of a text. Reads past its end, which the padding allows. */
static inline u32 rest_of(const u8 *tail, u32 length) {
  u32 bits = 8 * (length & 3);
  return load(tail) & ((1u << bits) - 1);
}

static u32 hash_long_text(u32 row) {
  u32 length = profile.text_length[row];
  const u8 *p = input + profile.text_start[row];
  const u8 *tail = p + (length & ~3u);
  state s = profile.states[TEXT_STATE];
  u32 seen = 0;
  for (; p < tail; p += 4) {
    u32 word = load(p);
    seen |= word;
    ABSORB(s, word);
  }
  u32 rest = rest_of(tail, length);
  finish(s, (4 + length) << 24 | rest, profile.text_id + row * 2);
  return seen | rest;
}

/* Texts of `length` words each; returns the OR of all of them. */
static u32 hash_four_texts(const u32 *four, u32 length) {
  const u8 *a = input + profile.text_start[four[0]];
  const u8 *b = input + profile.text_start[four[1]];
  const u8 *c = input + profile.text_start[four[2]];
  const u8 *d = input + profile.text_start[four[3]];
  states s = spread(profile.states[TEXT_STATE]);
  lanes seen = {0, 0, 0, 0};
  for (u32 at = 0; at < length * 4; at += 4) {
    lanes word = {load(a + at), load(b + at), load(c + at), load(d + at)};
    seen |= word;
    ABSORB_LANES(s, word);
  }
  lanes rest, last;
  for (u32 lane = 0; lane < 4; lane++) {
    u32 bytes = profile.text_length[four[lane]];
    rest[lane] = rest_of(input + profile.text_start[four[lane]] + length * 4, bytes);
    last[lane] = (4 + bytes) << 24;
  }
  seen |= rest;
  finish_lanes(s, last | rest, profile.text_id, four);
  return seen[0] | seen[1] | seen[2] | seen[3];
}

static u32 is_mended(u32 row) {
  const u8 *text = input + profile.text_start[row];
  return is_utf8(text, text + profile.text_length[row]);
}

/* 0 where a text is not UTF-8. */
static u32 hash_texts(void) {
  SORT_ROWS(profile.text_count, profile.text_length[row] >> 2);
  u32 at = 0;
  for (u32 length = 0; length < BUCKETS - 1; length++) {
    for (u32 end = bucket_ends[length]; at < end; at += 4) {
      u32 four[4];
      four_rows(at, end, four);
      if (!(hash_four_texts(four, length) & 0x80808080)) continue;
      for (u32 lane = 0; lane < 4; lane++) {
        if (!is_mended(four[lane])) return 0;
      }
    }
    at = bucket_ends[length];
  }
  for (; at < profile.text_count; at++) {
    if (hash_long_text(order[at]) & 0x80808080 && !is_mended(order[at])) return 0;
  }
  return 1;
}

#define ABSORB_ID(s, ids, row)     \
  do {                             \
    ABSORB(s, (ids)[(row)*2]);     \
    ABSORB(s, (ids)[(row)*2 + 1]); \
  } while (0)

/* The ids of rows `(of)[four[lane]]`, both halves of each. */
#define ABSORB_FOUR_IDS(s, ids, of, four)                                          \
  do {                                                                             \
    const u32 *id_a = (ids) + (of)[(four)[0]] * 2, *id_b = (ids) + (of)[(four)[1]] * 2; \
    const u32 *id_c = (ids) + (of)[(four)[2]] * 2, *id_d = (ids) + (of)[(four)[3]] * 2; \
    lanes id_low = {id_a[0], id_b[0], id_c[0], id_d[0]};                           \
    lanes id_high = {id_a[1], id_b[1], id_c[1], id_d[1]};                          \
    ABSORB_LANES(s, id_low);                                                       \
    ABSORB_LANES(s, id_high);                                                      \
  } while (0)

#define FOUR(column, four) \
  {(column)[(four)[0]], (column)[(four)[1]], (column)[(four)[2]], (column)[(four)[3]]}

/* Gives a function with one name both. */
static void hash_functions(void) {
  const u32 *text = profile.text_id;
  u32 count = profile.function_count;
  for (u32 i = 0; i < count; i++) {
    u32 name = profile.function_name[i];
    u32 system = profile.function_system[i];
    if (profile.text_length[system] == 0) profile.function_system[i] = name;
    else if (profile.text_length[name] == 0) profile.function_name[i] = system;
  }
  const lanes last = SPLAT((4 + 7 * 4) << 24);
  for (u32 i = 0; i < count; i += 4) {
    u32 four[4];
    for (u32 lane = 0; lane < 4; lane++) four[lane] = i + lane < count ? i + lane : count - 1;
    states s = spread(profile.states[FUNCTION_STATE]);
    ABSORB_FOUR_IDS(s, text, profile.function_name, four);
    ABSORB_FOUR_IDS(s, text, profile.function_system, four);
    ABSORB_FOUR_IDS(s, text, profile.function_file, four);
    lanes line = FOUR(profile.function_line, four);
    ABSORB_LANES(s, line);
    finish_lanes(s, last, profile.function_hash, four);
  }
}

enum { KIND_UNKNOWN = 4 };

/* Whether a function is called `[unknown: ...]`. */
static u32 is_unknown(u32 function) {
  static const char prefix[10] = "[unknown: ";
  u32 name = profile.function_name[function];
  u32 length = profile.text_length[name];
  const u8 *text = input + profile.text_start[name];
  if (length < 11 || text[0] != '[' || text[length - 1] != ']') return 0;
  for (u32 i = 0; i < 10; i++) {
    if (text[i] != (u8)prefix[i]) return 0;
  }
  return 1;
}

/* Fills the sites; 0 where a line is to be left out or a frame has neither name nor file. */
static u32 settle(u32 normalized) {
  for (u32 i = 0; i < profile.location_count; i++) {
    u32 first = profile.location_lines[i];
    u32 count = profile.location_lines[i + 1] - first;
    u32 mapping = profile.location_mapping[i];
    const u32 *site = mapping == (u32)-1 ? 0 : profile.mapping_site + mapping * 6;
    u64 address = 0;
    u32 space = 0;
    u32 kind = site ? site[2] : 0;
    u32 named = 0;
    for (u32 line = first; line < first + count; line++) {
      u32 function = profile.line_function[line];
      named += function != (u32)-1 && profile.text_length[profile.function_name[function]] != 0;
    }
    if (named > 0) {
      if (named < count) return 0;
      if (named == 1 && is_unknown(profile.line_function[first])) kind = KIND_UNKNOWN;
    } else {
      if (!site || !site[3]) return 0;
      u64 bias = (u64)site[5] << 32 | site[4];
      const u32 *given = profile.location_address + i * 2;
      address = ((u64)given[1] << 32 | given[0]) + bias;
      space = normalized ? 1 : 2;
      count = 0;
    }
    profile.site_first[i] = first;
    profile.site_lines[i] = count;
    profile.site_binary[i] = site ? site[0] : 0;
    profile.site_build[i] = site ? site[1] : 0;
    profile.site_address[i * 2] = (u32)address;
    profile.site_address[i * 2 + 1] = address >> 32;
    profile.site_space[i] = space;
    profile.site_kind[i] = kind;
  }
  return 1;
}

/* Whether a location's words before its lines are those of the location before it. */
static u32 is_same_site(u32 i) {
  const u32 *address = profile.site_address + i * 2;
  return i > 0 && profile.location_mapping[i] == profile.location_mapping[i - 1] &&
         profile.site_lines[i] == profile.site_lines[i - 1] &&
         profile.site_kind[i] == profile.site_kind[i - 1] &&
         profile.site_space[i] == profile.site_space[i - 1] &&
         profile.location_folded[i] == profile.location_folded[i - 1] &&
         address[0] == address[-2] && address[1] == address[-1];
}

/* Locations from `i` on that have one line each and the site of location `i`. */
static void hash_four_locations(u32 i, state site) {
  const u32 four[4] = {i, i + 1, i + 2, i + 3};
  const u32 first[4] = FOUR(profile.site_first, four);
  const lanes line = FOUR(profile.line_line, first);
  const lanes column = FOUR(profile.line_column, first);
  const lanes last = SPLAT((4 + (10 + 4) * 4) << 24);
  states s = spread(site);
  ABSORB_FOUR_IDS(s, profile.function_hash, profile.line_function, first);
  ABSORB_LANES(s, line);
  ABSORB_LANES(s, column);
  finish_lanes(s, last, profile.location_hash, four);
}

static state hash_site(u32 i) {
  state s = profile.states[LOCATION_STATE];
  ABSORB(s, profile.site_kind[i]);
  ABSORB(s, profile.site_space[i]);
  ABSORB(s, profile.location_folded[i]);
  ABSORB_ID(s, profile.text_id, profile.site_binary[i]);
  ABSORB_ID(s, profile.text_id, profile.site_build[i]);
  ABSORB(s, profile.site_address[i * 2]);
  ABSORB(s, profile.site_address[i * 2 + 1]);
  ABSORB(s, profile.site_lines[i]);
  return s;
}

static void hash_locations(void) {
  u32 count = profile.location_count;
  state site = profile.states[LOCATION_STATE];
  for (u32 i = 0; i < count; i++) {
    u32 lines = profile.site_lines[i];
    if (!is_same_site(i)) site = hash_site(i);
    if (lines == 1 && i + 3 < count && is_same_site(i + 1) && is_same_site(i + 2) &&
        is_same_site(i + 3)) {
      hash_four_locations(i, site);
      i += 3;
      continue;
    }
    state s = site;
    for (u32 line = profile.site_first[i], end = line + lines; line < end; line++) {
      ABSORB_ID(s, profile.function_hash, profile.line_function[line]);
      ABSORB(s, profile.line_line[line]);
      ABSORB(s, profile.line_column[line]);
    }
    finish(s, (4 + (10 + lines * 4) * 4) << 24, profile.location_hash + i * 2);
  }
}

static void hash_long_stack(u32 row) {
  u32 first = profile.sample_stack[row];
  u32 end = profile.sample_stack[row + 1];
  state s = profile.states[STACK_STATE];
  ABSORB(s, end - first);
  for (u32 at = first; at < end; at++) {
    ABSORB_ID(s, profile.location_hash, profile.entry_location[at]);
  }
  finish(s, (4 + (1 + (end - first) * 2) * 4) << 24, profile.sample_hash + row * 2);
}

static void hash_stacks(void) {
  SORT_ROWS(profile.sample_count, profile.sample_stack[row + 1] - profile.sample_stack[row]);
  u32 at = 0;
  for (u32 depth = 0; depth < BUCKETS - 1; depth++) {
    for (u32 end = bucket_ends[depth]; at < end; at += 4) {
      u32 four[4];
      four_rows(at, end, four);
      const u32 first[4] = FOUR(profile.sample_stack, four);
      const lanes count = SPLAT(depth);
      const lanes last = SPLAT((4 + (1 + depth * 2) * 4) << 24);
      states s = spread(profile.states[STACK_STATE]);
      ABSORB_LANES(s, count);
      for (u32 entry = 0; entry < depth; entry++) {
        const u32 *entries = profile.entry_location + entry;
        ABSORB_FOUR_IDS(s, profile.location_hash, entries, first);
      }
      finish_lanes(s, last, profile.sample_hash, four);
    }
    at = bucket_ends[depth];
  }
  for (; at < profile.sample_count; at++) hash_long_stack(order[at]);
}

/* After `decode`, with `mapping_site` filled: where locations are, and all ids. */
__attribute__((export_name("identify"))) u32 identify(u32 normalized) {
  if (!hash_texts()) return 0;
  hash_functions();
  if (!settle(normalized)) return 0;
  hash_locations();
  hash_stacks();
  return 1;
}
