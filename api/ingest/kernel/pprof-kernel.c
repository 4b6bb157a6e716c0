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
#include "pprof-tables.h"

#include "pprof-decode.h"
#include "pprof-identify.h"
