/** multipart/form-data (RFC 7578) as Pyroscope's clients send it: a few small named parts. */
import { EverflameError } from '../../profile/errors.ts';

/** Pyroscope's clients send three. */
const MAX_PARTS = 16;
const MAX_PART_HEADER_BYTES = 4_096;
const CRLF = '\r\n';

/** The boundary of a multipart content type; null for any other content type. */
export function multipartBoundary(contentType: string): string | null {
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType)) return null;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw malformed('the content type has no boundary', 0);
  return boundary;
}

/** The parts by field name, none of which may stand twice. The bytes are views of `body`. */
export function parseMultipart(body: Uint8Array, boundary: string): Map<string, Uint8Array> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const delimiter = Buffer.from(`${CRLF}--${boundary}`, 'latin1');
  const parts = new Map<string, Uint8Array>();
  // The first delimiter may stand at the very start, without the line break.
  let at = bytes.indexOf(delimiter.subarray(2));
  if (at < 0) throw malformed('the boundary is not in the body', 0);
  at += delimiter.length - 2;
  while (bytes.toString('latin1', at, at + 2) !== '--') {
    if (parts.size >= MAX_PARTS) throw malformed(`it has more than ${MAX_PARTS} parts`, at);
    const headerEnd = bytes.subarray(at, at + MAX_PART_HEADER_BYTES).indexOf(CRLF + CRLF);
    if (headerEnd < 0) throw malformed('the header of a part has no end', at);
    const start = at + headerEnd + 4;
    // An empty part's delimiter begins with the line break that ends its header.
    const end = bytes.indexOf(delimiter, start - 2);
    if (end < 0) throw malformed('the last part is cut off', start);
    const name = partName(bytes.toString('utf8', at, at + headerEnd), at);
    if (parts.has(name)) throw malformed(`the field ${name.slice(0, 80)} stands twice`, at);
    parts.set(name, body.subarray(start, Math.max(start, end)));
    at = end + delimiter.length;
  }
  return parts;
}

function partName(header: string, position: number): string {
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(header)?.[1] ?? '';
  const name = /(?:^|;)\s*name=(?:"([^"]*)"|([^\s;"]+))/i.exec(disposition);
  if (name === null) throw malformed('a part has no name', position);
  return name[1] ?? name[2] ?? '';
}

function malformed(what: string, position: number): EverflameError {
  return new EverflameError('invalid', `the multipart body is malformed: ${what}`, {
    field: 'body',
    position,
  });
}
