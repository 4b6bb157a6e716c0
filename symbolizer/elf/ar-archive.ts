/** Members of an `ar` archive (ar(5)), in GNU's form and in BSD's. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_AR_MEMBERS } from '../../profile/limits.ts';
import { type ByteSource, truncated } from './byte-reader.ts';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;

export function isArArchive(source: ByteSource): boolean {
  if (source.size < MAGIC.length) return false;
  return Buffer.from(source.read(0, MAGIC.length)).toString('latin1') === MAGIC;
}

/** The members' contents, without the archive's own tables. Throws EverflameError for damage. */
export function arMembers(source: ByteSource): ByteSource[] {
  const members: ByteSource[] = [];
  for (let at = MAGIC.length; at + HEADER_BYTES <= source.size; ) {
    const header = Buffer.from(source.read(at, HEADER_BYTES)).toString('latin1');
    const size = /^\d{1,10} *$/.test(header.slice(48, 58)) ? Number(header.slice(48, 58)) : -1;
    const start = at + HEADER_BYTES;
    if (size < 0 || !header.endsWith('`\n')) throw truncated('no header of an ar member', at);
    if (start + size > source.size) throw truncated('an ar member ends after the file', at);
    const name = header.slice(0, 16).trimEnd();
    // BSD writes long names before the content and says how long they are.
    const nameBytes = Number(/^#1\/(\d{1,4})$/.exec(name)?.[1] ?? 0);
    const isTable = name === '/' || name === '//' || name === '/SYM64/';
    if (!isTable && nameBytes <= size) {
      members.push(partOf(source, start + nameBytes, size - nameBytes));
    }
    checkCount(members.length);
    at = start + size + (size % 2);
  }
  return members;
}

function checkCount(count: number): void {
  if (count <= MAX_AR_MEMBERS) return;
  throw new EverflameError('too-large', 'the archive has too many members', {
    field: 'file',
    limit: `MAX_AR_MEMBERS = ${MAX_AR_MEMBERS}`,
    remedy: 'Send a .dwp package (dwp, llvm-dwp).',
  });
}

function partOf(source: ByteSource, start: number, size: number): ByteSource {
  return {
    size,
    read(offset, length) {
      if (offset < 0 || length < 0 || !(offset + length <= size)) {
        throw truncated(`bytes ${offset} to ${offset + length} are not in a member`, offset);
      }
      return source.read(start + offset, length);
    },
  };
}
