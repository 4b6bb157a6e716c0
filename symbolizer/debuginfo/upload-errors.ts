/** Why an upload, or a question about one, is refused. */
import { EverflameError } from '../../profile/errors.ts';

export function notBuildId(): EverflameError {
  return new EverflameError('invalid', 'that is not a build id', {
    field: 'build_id',
    remedy: 'Send lower-case hex, or go: or htl: and the id.',
  });
}

export function notSplit(): EverflameError {
  return new EverflameError('unprocessable', 'the file is neither an archive nor an ELF file', {
    field: 'file',
    remedy: 'Send a .dwp package, or an ar archive of .dwo files.',
  });
}

export function underWay(): EverflameError {
  return new EverflameError('conflict', 'another upload of this build id is under way', {
    field: 'lease',
    remedy: 'Ask again with POST /api/v1/debuginfo/wanted.',
  });
}

export function noRoom(maxBytes: number): EverflameError {
  return new EverflameError('overloaded', 'too many uploads at once for the room there is', {
    limit: `--debuginfo-bytes = ${maxBytes}`,
    remedy: 'Send the rest of the file when other uploads are done.',
  });
}
