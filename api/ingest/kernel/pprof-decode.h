/* The bytes of a pprof -> columns. */
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
