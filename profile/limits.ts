/**
 * Every limit on what comes from outside, in one place, with its reason. Errors name the constant
 * and its value, so an operator can find it here.
 */

/** A request body as it arrives. A busy 128-CPU host's window at 99 Hz is about 4 MB gzipped. */
export const MAX_BODY_BYTES = 32 * 2 ** 20;
/** A body after gunzip; a gzip bomb ends here. pprof compresses 3 to 10 times. */
export const MAX_DECOMPRESSED_BYTES = 128 * 2 ** 20;
/** Profiles in one WriteRaw request: one per label set of a host's window, 20,000 series per host. */
export const MAX_PROFILES_PER_REQUEST = 20_000;
/** Samples in one profile, and the rows of each of its tables. */
export const MAX_SAMPLES_PER_PROFILE = 1_000_000;
export const MAX_LOCATIONS_PER_PROFILE = 1_000_000;
export const MAX_FUNCTIONS_PER_PROFILE = 1_000_000;
export const MAX_STRINGS_PER_PROFILE = 1_000_000;
export const MAX_MAPPINGS_PER_PROFILE = 65_536;
export const MAX_SAMPLE_TYPES = 64;
/** Locations of one stack. The JVM's own default limit is 1,024; deep recursion reaches 4,000. */
export const MAX_STACK_DEPTH = 4_096;
/** Inlined functions of one location. */
export const MAX_LINES_PER_LOCATION = 256;
/** One name, path, comment or label value, in bytes of UTF-8. C++ names reach 10 kB. */
export const MAX_STRING_BYTES = 65_536;
export const MAX_COMMENTS_PER_PROFILE = 1_024;

/** Labels of a series. */
export const MAX_LABELS_PER_SERIES = 64;
export const MAX_LABEL_NAME_BYTES = 256;
export const MAX_LABEL_VALUE_BYTES = 4_096;
/** Series of one store, their label names, and the characters of all distinct label values. */
export const MAX_SERIES = 16_000_000;
export const MAX_LABEL_NAMES = 10_000;
export const MAX_LABEL_CHARACTERS = 2 ** 29;
/** Labels of one sample, and distinct sets of them in one profile; over it the set is dropped. */
export const MAX_LABELS_PER_SAMPLE = 32;
export const MAX_LABELSETS_PER_PROFILE = 10_000;

/** A selector as text, its matchers, and one regular expression in it. */
export const MAX_SELECTOR_LENGTH = 16_384;
export const MAX_MATCHERS = 64;
export const MAX_REGEX_LENGTH = 2_048;
/** Instructions of one compiled expression; a text takes at most this many steps per character. */
export const MAX_REGEX_PROGRAM = 4_096;
/** Time that one expression may take on all texts of a question together. */
export const MAX_REGEX_MS = 1_000;

/** Nodes of a flame graph that one answer may hold, and that one fg1 body may claim. */
export const MAX_FLAME_NODES = 4_000_000;
/** Frames on one path of a flame graph after inlining; depth travels as u16. */
export const MAX_FLAME_DEPTH = 16_384;
/** Sections of one fg1 body (19 are known) and its JSON section, which is mostly `quality`. */
export const MAX_FG1_SECTIONS = 64;
export const MAX_FG1_META_BYTES = 2 ** 20;

/** Nodes of a flame graph as JSON, which takes ten times the room and time of fg1. */
export const MAX_JSON_NODES = 1_000_000;
/** Nodes of a worker's tree of known stacks, about 20 bytes each; over it the tree starts anew. */
export const MAX_TREE_NODES = 8_000_000;
/** Groups of one merge: each is a subtree of its own. */
export const MAX_MERGE_GROUPS = 1_000;
/** Symbol files that one worker holds open. */
export const MAX_OPEN_SYMBOL_FILES = 64;
/** Queries that wait for a tree worker; the next one is told to come back. */
export const MAX_WAITING_QUERIES = 256;
/** Steps of a series, as in Prometheus, and points (steps x lines) of one answer. */
export const MAX_SERIES_STEPS = 11_000;
export const MAX_SERIES_POINTS = 1_000_000;

/** How far in the future a profile may lie: clocks that differ more are wrong. */
export const MAX_FUTURE_MS = 10 * 60_000;

/** Uploaded debug information, whole file. */
export const MAX_DEBUGINFO_BYTES = 2 * 2 ** 30;
/** Build ids in one `debuginfo/wanted` question. */
export const MAX_WANTED_PER_REQUEST = 1_000;
/** Bytes of one build id in hex; GNU ids are 20 bytes, hashes up to 32. */
export const MAX_BUILD_ID_LENGTH = 128;

/** Labels of a series as sent, those that begin with `__` included, before they are canonical. */
export const MAX_SENT_LABELS_PER_SERIES = 128;
/** Windows that one request may report; a host that was cut off reports over several requests. */
export const MAX_WINDOWS_PER_REQUEST = 10_000;
/** Distinct counters of one window. */
export const MAX_COUNTERS_PER_WINDOW = 256;

/** An ELF file's sections (-ffunction-sections makes one each) and program headers. */
export const MAX_ELF_SECTIONS = 262_144;
export const MAX_ELF_SEGMENTS = 4_096;
/** Bytes of one note section that are searched for a build id; the longest seen have 400. */
export const MAX_ELF_NOTE_BYTES = 65_536;
/** /proc/kallsyms: a distribution's kernel with its modules has 200,000 lines, 10 MB. */
export const MAX_KALLSYMS_BYTES = 128 * 2 ** 20;
export const MAX_KALLSYMS_LINES = 2_000_000;
/** What is kept of one process' perf map; over it, the oldest entries go. */
export const MAX_PERF_MAP_ENTRIES = 200_000;
export const MAX_PERF_MAP_NAME_BYTES = 32 * 2 ** 20;
/** Bytes of a perf map that are parsed at once, 100 ms; the rest waits for the next window. */
export const MAX_PERF_MAP_READ_BYTES = 16 * 2 ** 20;
/** Of the unwind table of a file, 8 bytes each; clang has 2.2 million. */
export const MAX_UNWIND_ROWS = 2 ** 22;
/** Of 64 KiB: a gigabyte of code. */
export const MAX_UNWIND_PAGES = 2 ** 14;
/** Entries of one ELF symbol table, and those of them that name code. libLLVM has 300,000. */
export const MAX_ELF_SYMBOLS = 16_000_000;
export const MAX_FUNCTIONS_PER_FILE = 4_000_000;
/** One ELF string table, which is held in memory while a file is converted. */
export const MAX_STRING_TABLE_BYTES = 512 * 2 ** 20;

/** Locations of all stacks of one profile together; they are most of a decoder's memory. */
export const MAX_STACK_ENTRIES_PER_PROFILE = 2 ** 24;
export const MAX_LINES_PER_PROFILE = 4_000_000;
/** Values of all samples of one profile together. */
export const MAX_VALUES_PER_PROFILE = 8_000_000;
/** Labels of all samples of one profile together. */
export const MAX_LABELS_PER_PROFILE = 4_000_000;
/** All names of one symbol file. */
export const MAX_SYMBOL_NAMES_BYTES = 2 ** 30;

/** Parameters sent as a JSON body; a selector and a path of frames fit many times. */
export const MAX_PARAMETER_BYTES = 2 ** 20;
/** Names, functions or profiles that one answer lists. */
export const MAX_LISTED = 10_000;
/** Lines of a series answer that stand on their own; the others are summed up in one. */
export const MAX_SERIES_LINES = 1_000;
/** Labels that one question groups by. */
export const MAX_GROUP_LABELS = 16;
/** An Idempotency-Key; ours have 32 characters. */
export const MAX_IDEMPOTENCY_KEY_LENGTH = 256;
/** Files that wait for conversion; one is converted at a time. */
export const MAX_QUEUED_CONVERSIONS = 64;
/** Build ids that the server remembers, and those it has asked agents for at one time. */
export const MAX_DEBUGINFO_ENTRIES = 100_000;
export const MAX_DEBUGINFO_LEASES = 10_000;

/** Rows of one merge, (group, stack) pairs, as the store hands them over: 16 bytes each. */
export const MAX_MERGE_ROWS = 4_000_000;
/** Points of a time series: steps, and steps times groups. */
export const MAX_TIMELINE_STEPS = 20_000;
export const MAX_TIMELINE_POINTS = 2_000_000;
/** Pairs of series and sample label set that a selection by sample labels may look at. */
export const MAX_LABELSET_PAIRS = 1_000_000;
/** Profiles of gauges that one answer may average. */
export const MAX_GAUGE_PROFILES = 1_000_000;

/** Rows of samples that one request becomes: samples x types, without zeros. */
export const MAX_ROWS_PER_REQUEST = 4_000_000;
/** JSON text of all distinct label sets of one request; over it the next sets are dropped. */
export const MAX_LABELSET_BYTES_PER_REQUEST = 16 * 2 ** 20;
/** A batch id or Idempotency-Key, an agent's id, version, host and kernel. */
export const MAX_REPORT_TEXT_LENGTH = 256;
/** Requests that wait for a decode worker; the bodies themselves are bounded in bytes elsewhere. */
export const MAX_QUEUED_INGESTS = 2_000;
/** One of the five fields of a profile type; with the others it must fit in a selector. */
export const MAX_TYPE_FIELD_LENGTH = 256;

/**
 * Names that are demangled: constructs inside each other, characters before and after, and
 * characters of all parts while they are put together. Of 320,000 names in node, LLVM, DuckDB and
 * rustc the worst have 92, 1,222, 10,116 and 34,568. Beyond a limit the mangled name is shown.
 */
export const MAX_DEMANGLE_DEPTH = 256;
export const MAX_MANGLED_LENGTH = 32_768;
export const MAX_DEMANGLED_LENGTH = 65_536;
export const MAX_DEMANGLE_WORK = 4_000_000;
/** Characters of names that a thread remembers with what they demangle to; then it starts anew. */
export const MAX_DEMANGLER_CHARACTERS = 16_000_000;

/** Rows of one unit's line program, 17 bytes each; a byte of input can make one. */
export const MAX_LINE_ROWS = 2 ** 23;

/** Ranges of code with lines in one symbol file, and their rows and inlined calls in bytes. */
export const MAX_CODE_RANGES = 2 ** 23;
export const MAX_SYMBOL_RECORD_BYTES = 2 ** 29;
/** Pages of symbol files that one worker keeps in memory, 4 kB each. */
export const MAX_SYMBOL_PAGES = 16_384;
/** Answers and names of all symbol files that one worker keeps, in bytes as estimated. */
export const MAX_SYMBOL_ANSWER_BYTES = 64 * 2 ** 20;
/** One section of debug information, decompressed, and all that one file is converted from. */
export const MAX_DEBUG_SECTION_BYTES = 512 * 2 ** 20;
export const MAX_DEBUG_BYTES = 768 * 2 ** 20;
/** Build ids whose search on disk and on debuginfod servers is remembered. */
export const MAX_DEBUGINFO_LOOKUPS = 20_000;
/** .gnu_debugdata, compressed and not: the symbol table of one program. */
export const MAX_MINI_DEBUGINFO_BYTES = 128 * 2 ** 20;
/** Stubs of a procedure linkage table, 16 bytes each mostly, and the names of all of them. */
export const MAX_PLT_BYTES = 2 ** 20;
export const MAX_PLT_NAMES_BYTES = 64 * 2 ** 20;
/** Each is as if the server had nothing else to do for a moment every 5 ms. */
export const MAX_SELF_PROFILE_SECONDS = 60;
/** Members of an archive of .dwo files, one for each compilation unit. */
export const MAX_AR_MEMBERS = 262_144;
/** Split files of one program, decompressed; a .dwo file counts each time that it is read. */
export const MAX_SPLIT_BYTES = 2 * 2 ** 30;
/** Section headers and their names that are searched for one section of a file that is served. */
export const MAX_SERVED_SECTIONS = 65_536;
export const MAX_SERVED_SECTION_NAMES_BYTES = 8 * 2 ** 20;
/** Units of one .debug_info; Chromium has 60,000. */
export const MAX_DWARF_UNITS = 2 ** 22;

/** Time that one query may take, its waiting included. */
export const MAX_QUERY_MS = 60_000;
/** Rows of samples that one query may read: a minute's work of a large machine. */
export const MAX_QUERY_ROWS = 10_000_000_000;
/** A query that reads so many rows is heavy: about 30 ms of one CPU. */
export const MIN_HEAVY_ROWS = 1_000_000;
/** Queries of each weight that run at one time, at most. */
export const MAX_LIGHT_QUERIES = 4;
export const MAX_HEAVY_QUERIES = 2;
/** Queries of one client that wait or run. */
export const MAX_QUERIES_PER_CLIENT = 64;

/** Filters of one question, and one of them as text: a name with its field, or an expression. */
export const MAX_FILTERS = 32;
export const MAX_FILTER_LENGTH = 65_536;

/** A user's SQL: its text, the rows and bytes of its answer, and what a statement may take. */
export const MAX_SQL_CHARACTERS = 65_536;
export const MAX_SQL_ROWS = 1_000_000;
export const MAX_SQL_ANSWER_BYTES = 32 * 2 ** 20;
export const SQL_TIMEOUT_MS = 30_000;
/** Of DuckDB for one statement, at most: less where --memory-limit is below 4 GiB. */
export const MAX_SQL_MEMORY_BYTES = 512 * 2 ** 20;
/** Statements that run at once, and those that wait for one to end. */
export const MAX_SQL_PROCESSES = 2;
export const MAX_WAITING_SQL = 8;
/** Instructions of a matcher's expression times characters of one label: at worst 100 ms. */
export const MAX_MATCH_STEPS = 4_000_000;
/** Backups and exports on their way at once: each may take as much disk as all that is stored. */
export const MAX_FOLDER_STREAMS = 2;
/** One whose client takes nothing for so long is given up. */
export const MAX_STREAM_STALL_MS = 60_000;
/** Requests that wait for memory, and how long one of them does before it is refused. */
export const MAX_WAITING_FOR_MEMORY = 64;
export const MAX_MEMORY_WAIT_MS = 10_000;
/** A push waits for less: its sender keeps what it has and tries again. */
export const MAX_PUSH_WAIT_MS = 1_000;
