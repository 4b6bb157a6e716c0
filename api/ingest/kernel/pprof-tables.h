/* The columns of one profile in memory, and what reads numbers from the input. */
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
