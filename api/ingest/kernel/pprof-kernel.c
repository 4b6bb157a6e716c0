/*
 * Decodes a pprof into columns and makes the ids of docs/formats.md section 1, as WebAssembly: the
 * same as profile/pprof/decode.ts, location-sites.ts and profile-ids.ts for what usual writers send.
 * Whatever is not usual (an error, a limit, a sparse or 64-bit id, an unknown field, a text to be
 * mended, a frame that nobody named) makes a function return 0, and the caller does the work in
 * TypeScript, which alone knows how to refuse. tools/pprof-kernel.mjs compiles this file.
 *
 * The input is hostile. Column sizes come from a first pass over the same bytes: a row has at least
 * two bytes, an entry one. A read may run up to PADDING bytes over the input; then its message does
 * not end where it should, and the input is handed back.
 */
#include "halfsiphash.h"

typedef unsigned char u8;
typedef unsigned long long u64;

#define PAGE 65536
#define PADDING 32
/* Limits as in profile/limits.ts; what passes them is the TypeScript decoder's to refuse. */
#define MAX_ROWS 1000000
#define MAX_MAPPINGS 65536
#define MAX_TEXT 65536
#define MAX_STACK 4096
#define MAX_LINES 256
/* Fields that are not rows: sample types, comments and such. */
#define MAX_HEADER_FIELDS 256
/* Values from 2^53 on are refused. */
#define TOO_HIGH (1 << 21)

enum { TEXT_STATE, FUNCTION_STATE, LOCATION_STATE, STACK_STATE, STATES };

/* Addresses of columns, and their lengths; pprof-kernel.ts reads it by position. */
static struct {
  u32 text_count;
  u32 *text_start, *text_length, *text_id;
  u32 mapping_count;
  u32 *mapping_id, *mapping_start, *mapping_offset, *mapping_file, *mapping_build;
  /* Written by the caller before `identify`: file, build id, kind, is a file, bias (2). */
  u32 *mapping_site;
  u32 function_count;
  u32 *function_id, *function_name, *function_system, *function_file, *function_line;
  u32 *function_hash;
  u32 location_count;
  u32 *location_id, *location_mapping, *location_address, *location_lines;
  u8 *location_folded;
  u32 *location_hash;
  u32 line_count;
  u32 *line_function, *line_line, *line_column;
  u32 sample_count;
  u32 *sample_stack, *sample_value, *sample_label, *sample_hash;
  u32 entry_count;
  u32 *entry_location;
  u32 value_count;
  u32 *value;
  u32 label_count;
  u32 *label_key, *label_text, *label_number, *label_unit;
  u32 *site_first, *site_lines, *site_binary, *site_build, *site_address;
  u8 *site_space, *site_kind;
  state states[STATES];
  u32 header_count;
  u32 header[MAX_HEADER_FIELDS];
} profile;

/* Rows in the order in which they are hashed: texts, then samples. */
static u32 *order;

extern u8 __heap_base;
static u8 *input;
static u8 *input_end;
static u8 *heap;
static u32 type_count;
static u32 has_failed;

__attribute__((export_name("tables"))) void *tables(void) { return &profile; }

static u32 make_room(u8 *end) {
  u32 pages = ((u32)end + PAGE - 1) / PAGE;
  u32 now = __builtin_wasm_memory_size(0);
  return pages <= now || __builtin_wasm_memory_grow(0, pages - now) != (u32)-1;
}

/* Where the caller writes `length` bytes of input, or 0 where there is no memory. */
__attribute__((export_name("reserve"))) u8 *reserve(u32 length) {
  input = (u8 *)(((u32)&__heap_base + 15) & ~15u);
  input_end = input + length;
  if (!make_room(input_end + PADDING)) return 0;
  for (u32 i = 0; i < PADDING; i++) input_end[i] = 0;
  return input;
}

static void *allocate(u32 bytes) {
  void *block = heap;
  heap += (bytes + 15) & ~15u;
  return block;
}

static u32 *words(u32 count) { return allocate(count * 4); }

/* Takes over where a number has more than two bytes. */
__attribute__((noinline)) static u64 long_varint(const u8 **at) {
  const u8 *p = *at;
  u64 value = 0;
  for (u32 shift = 0; shift < 70; shift += 7) {
    u8 byte = *p++;
    value |= (u64)(byte & 127) << shift;
    if (byte < 128) {
      *at = p;
      return value;
    }
  }
  has_failed = 1;
  *at = p;
  return 0;
}

/* Inlined, so that the position stays in a register. */
#define VARINT(p, value)                       \
  do {                                         \
    (value) = *(p);                            \
    if ((value) < 128) {                       \
      (p)++;                                   \
    } else if ((p)[1] < 128) {                 \
      (value) = ((value) & 127) | (p)[1] << 7; \
      (p) += 2;                                \
    } else {                                   \
      const u8 *q = (p);                       \
      (value) = long_varint(&q);               \
      (p) = q;                                 \
    }                                          \
  } while (0)

/* A number that must be below 2^31: an id, a row or a length. */
#define SMALL(value) \
  if ((value) >> 31) return 0
/* The value's bytes lie within the message. */
#define INSIDE(p, length, end) \
  if ((p) > (end) || (length) > (u64)((end) - (p))) return 0

static u32 line_number(u64 value) { return value >> 32 ? 0 : (u32)value; }

/* Counts rows, so that the columns have room for all of them, and allocates the columns. */
static u32 measure(void) {
  const u8 *p = input;
  const u8 *end = input_end;
  u32 counts[7] = {0};
  u32 bytes[7] = {0};
  profile.header_count = 0;
  has_failed = 0;
  while (p < end) {
    const u8 *field = p;
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    u32 number = tag >> 3;
    if (tag > 127 || number == 0) return 0;
    if ((tag & 7) == 2) {
      INSIDE(p, value, end);
      p += value;
    } else if ((tag & 7) != 0) {
      return 0;
    }
    if (number >= 2 && number <= 6) {
      if ((tag & 7) != 2) return 0;
      counts[number]++;
      bytes[number] += (u32)value;
      continue;
    }
    counts[1] += number == 1;
    if (profile.header_count == MAX_HEADER_FIELDS) return 0;
    profile.header[profile.header_count++] = field - input;
  }
  if (p != end || has_failed) return 0;
  u32 samples = counts[2], mappings = counts[3], locations = counts[4], functions = counts[5];
  u32 texts = counts[6], lines = bytes[4] / 2, entries = bytes[2], labels = bytes[2] / 2;
  if (samples > MAX_ROWS || locations > MAX_ROWS || functions > MAX_ROWS) return 0;
  if (texts > MAX_ROWS || mappings > MAX_MAPPINGS) return 0;
  type_count = counts[1];
  heap = (u8 *)(((u32)input_end + PADDING + 15) & ~15u);
  /* Rows that are added later need a place to grow from, so no column has none. */
  texts += 16, lines += 16, functions += 16;
  profile.text_start = words(texts);
  profile.text_length = words(texts);
  profile.text_id = words(texts * 2);
  profile.mapping_id = words(mappings);
  profile.mapping_start = words(mappings * 2);
  profile.mapping_offset = words(mappings * 2);
  profile.mapping_file = words(mappings);
  profile.mapping_build = words(mappings);
  profile.mapping_site = words(mappings * 6);
  profile.function_id = words(functions);
  profile.function_name = words(functions);
  profile.function_system = words(functions);
  profile.function_file = words(functions);
  profile.function_line = words(functions);
  profile.function_hash = words(functions * 2);
  profile.location_id = words(locations);
  profile.location_mapping = words(locations);
  profile.location_address = words(locations * 2);
  profile.location_lines = words(locations + 1);
  profile.location_folded = allocate(locations);
  profile.location_hash = words(locations * 2);
  profile.line_function = words(lines);
  profile.line_line = words(lines);
  profile.line_column = words(lines);
  profile.sample_stack = words(samples + 1);
  profile.sample_value = words(samples + 1);
  profile.sample_label = words(samples + 1);
  profile.sample_hash = words(samples * 2);
  profile.entry_location = words(entries);
  profile.value = words(entries * 2);
  profile.label_key = words(labels);
  profile.label_text = words(labels);
  profile.label_number = words(labels * 2);
  profile.label_unit = words(labels);
  profile.site_first = words(locations);
  profile.site_lines = words(locations);
  profile.site_binary = words(locations);
  profile.site_build = words(locations);
  profile.site_address = words(locations * 2);
  order = words(texts > samples ? texts : samples);
  profile.site_space = allocate(locations);
  profile.site_kind = allocate(locations);
  /* Behind the columns: rows by id, one table at a time. */
  u32 rows = locations > functions ? locations : functions;
  if (mappings > rows) rows = mappings;
  return make_room(heap + (rows * 2 + 65) * 4);
}

static u32 read_mapping(const u8 *p, const u8 *end) {
  u32 row = profile.mapping_count++;
  u64 id = 0, start = 0, offset = 0, file = 0, build = 0;
  while (p < end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 8) id = value;
    else if (tag == 16) start = value;
    else if (tag == 32) offset = value;
    else if (tag == 40) file = value;
    else if (tag == 48) build = value;
    else if (tag != 24 && tag != 56 && tag != 64 && tag != 72 && tag != 80) return 0;
  }
  SMALL(id);
  SMALL(file);
  SMALL(build);
  profile.mapping_id[row] = id;
  profile.mapping_start[row * 2] = (u32)start;
  profile.mapping_start[row * 2 + 1] = start >> 32;
  profile.mapping_offset[row * 2] = (u32)offset;
  profile.mapping_offset[row * 2 + 1] = offset >> 32;
  profile.mapping_file[row] = file;
  profile.mapping_build[row] = build;
  return p == end;
}

static u32 read_function(const u8 *p, const u8 *end) {
  u32 row = profile.function_count++;
  u64 id = 0, name = 0, system = 0, file = 0, line = 0;
  while (p < end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 8) id = value;
    else if (tag == 16) name = value;
    else if (tag == 24) system = value;
    else if (tag == 32) file = value;
    else if (tag == 40) line = value;
    else return 0;
  }
  SMALL(id | name | system | file);
  profile.function_id[row] = id;
  profile.function_name[row] = name;
  profile.function_system[row] = system;
  profile.function_file[row] = file;
  profile.function_line[row] = line_number(line);
  return p == end;
}

static u32 read_line(const u8 *p, const u8 *end) {
  u32 row = profile.line_count++;
  u64 function = 0, line = 0, column = 0;
  while (p < end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 8) function = value;
    else if (tag == 16) line = value;
    else if (tag == 24) column = value;
    else return 0;
  }
  SMALL(function);
  profile.line_function[row] = function;
  profile.line_line[row] = line_number(line);
  profile.line_column[row] = line_number(column);
  return p == end;
}

static u32 read_location(const u8 *p, const u8 *end) {
  u32 row = profile.location_count++;
  u32 first = profile.line_count;
  u64 id = 0, mapping = 0, address = 0, folded = 0;
  while (p < end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 34) {
      INSIDE(p, value, end);
      if (!read_line(p, p + value)) return 0;
      p += value;
    } else if (tag == 8) id = value;
    else if (tag == 16) mapping = value;
    else if (tag == 24) address = value;
    else if (tag == 40) folded = value;
    else return 0;
  }
  SMALL(id | mapping);
  if (profile.line_count - first > MAX_LINES) return 0;
  profile.location_id[row] = id;
  profile.location_mapping[row] = mapping;
  profile.location_address[row * 2] = (u32)address;
  profile.location_address[row * 2 + 1] = address >> 32;
  profile.location_folded[row] = folded != 0;
  profile.location_lines[row] = first;
  return p == end;
}

static u32 read_label(const u8 *p, const u8 *end) {
  u32 row = profile.label_count++;
  u64 key = 0, text = 0, number = 0, unit = 0;
  while (p < end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 8) key = value;
    else if (tag == 16) text = value;
    else if (tag == 24) number = value;
    else if (tag == 32) unit = value;
    else return 0;
  }
  SMALL(key | text | unit);
  profile.label_key[row] = key;
  profile.label_text[row] = text;
  profile.label_number[row * 2] = (u32)number;
  profile.label_number[row * 2 + 1] = number >> 32;
  profile.label_unit[row] = unit;
  return p == end;
}

/* Packed or not, values end with their sample and none is negative or beyond adding up. */
static u32 add_value(u64 value) {
  u32 high = value >> 32;
  profile.value[profile.value_count * 2] = (u32)value;
  profile.value[profile.value_count * 2 + 1] = high;
  profile.value_count++;
  return high < TOO_HIGH;
}

static u32 read_sample(const u8 *p, const u8 *end) {
  u32 row = profile.sample_count++;
  u32 entries = profile.entry_count;
  u32 values = profile.value_count;
  profile.sample_stack[row] = entries;
  profile.sample_value[row] = values;
  profile.sample_label[row] = profile.label_count;
  while (p < end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 8) {
      SMALL(value);
      profile.entry_location[profile.entry_count++] = value;
      continue;
    }
    if (tag == 16) {
      if (!add_value(value)) return 0;
      continue;
    }
    INSIDE(p, value, end);
    const u8 *last = p + value;
    if (tag == 10) {
      u32 *to = profile.entry_location + profile.entry_count;
      while (p < last) {
        u64 id;
        VARINT(p, id);
        SMALL(id);
        *to++ = id;
      }
      profile.entry_count = to - profile.entry_location;
    } else if (tag == 18) {
      while (p < last) {
        u64 number;
        VARINT(p, number);
        if (!add_value(number)) return 0;
      }
    } else if (tag == 26) {
      if (!read_label(p, last)) return 0;
      p = last;
    } else {
      return 0;
    }
    if (p != last) return 0;
  }
  if (profile.entry_count - entries > MAX_STACK) return 0;
  return p == end && profile.value_count - values == type_count;
}

static u32 read_rows(void) {
  const u8 *p = input;
  profile.text_count = profile.mapping_count = profile.function_count = 0;
  profile.location_count = profile.line_count = profile.sample_count = 0;
  profile.entry_count = profile.value_count = profile.label_count = 0;
  u32 texts = 0;
  while (p < input_end) {
    u32 tag = *p++;
    u64 value;
    VARINT(p, value);
    if (tag == 50) {
      if (value > MAX_TEXT) return 0;
      profile.text_start[texts] = p - input;
      profile.text_length[texts++] = value;
      p += value;
      continue;
    }
    if ((tag & 7) == 0) continue;
    const u8 *end = p + value;
    if (tag == 42 && !read_function(p, end)) return 0;
    if (tag == 34 && !read_location(p, end)) return 0;
    if (tag == 18 && !read_sample(p, end)) return 0;
    if (tag == 26 && !read_mapping(p, end)) return 0;
    p = end;
  }
  profile.text_count = texts;
  profile.location_lines[profile.location_count] = profile.line_count;
  profile.sample_stack[profile.sample_count] = profile.entry_count;
  profile.sample_value[profile.sample_count] = profile.value_count;
  profile.sample_label[profile.sample_count] = profile.label_count;
  return texts > 0 && profile.text_length[0] == 0 && type_count > 0 && !has_failed;
}

/* Rows by id, behind the columns; 0 where there is none, so that rows are kept plus 1. */
static u32 *rows;
static u32 rows_length;

static u32 index_rows(const u32 *ids, u32 count) {
  u32 max = 0;
  for (u32 i = 0; i < count; i++) max = ids[i] > max ? ids[i] : max;
  /* Sparse ids are another way to number, not an error. */
  if (max > count * 2 + 64) return 0;
  rows = (u32 *)heap;
  rows_length = max + 1;
  __builtin_memset(rows, 0, rows_length * 4);
  for (u32 i = 0; i < count; i++) {
    if (ids[i] == 0 || rows[ids[i]] != 0) return 0;
    rows[ids[i]] = i + 1;
  }
  return 1;
}

/* 0 becomes -1 where it is allowed. */
static u32 resolve(u32 *ids, u32 count, u32 none_allowed) {
  u32 lost = 0;
  for (u32 i = 0; i < count; i++) {
    u32 id = ids[i];
    u32 row = id < rows_length ? rows[id] : 0;
    lost |= row == 0 && !(none_allowed && id == 0);
    ids[i] = row - 1;
  }
  return !lost;
}

static u32 are_texts(const u32 *column, u32 count) {
  u32 max = 0;
  for (u32 i = 0; i < count; i++) max = column[i] > max ? column[i] : max;
  return max < profile.text_count;
}

static u32 check_texts(void) {
  return are_texts(profile.mapping_file, profile.mapping_count) &&
         are_texts(profile.mapping_build, profile.mapping_count) &&
         are_texts(profile.function_name, profile.function_count) &&
         are_texts(profile.function_system, profile.function_count) &&
         are_texts(profile.function_file, profile.function_count) &&
         are_texts(profile.label_key, profile.label_count) &&
         are_texts(profile.label_text, profile.label_count) &&
         are_texts(profile.label_unit, profile.label_count);
}

/* Decodes `length` bytes at the address that `reserve` gave. */
__attribute__((export_name("decode"))) u32 decode(void) {
  return measure() && read_rows() && check_texts() &&
         index_rows(profile.mapping_id, profile.mapping_count) &&
         resolve(profile.location_mapping, profile.location_count, 1) &&
         index_rows(profile.function_id, profile.function_count) &&
         resolve(profile.line_function, profile.line_count, 1) &&
         index_rows(profile.location_id, profile.location_count) &&
         resolve(profile.entry_location, profile.entry_count, 0);
}

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
