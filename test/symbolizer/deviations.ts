/** Where our answers differ from llvm-symbolizer's, and why: docs/symbolizer.md, in this order. */
import type { Deviation } from './comparison.ts';

export const DEVIATIONS: readonly Deviation[] = [
  {
    reason: 'between functions: lines, but no function',
    explains: ({ theirs, ours }) =>
      ours.length === 0 && theirs.length === 1 && theirs[0]?.name === '',
  },
  {
    reason: 'a stub of the PLT has the name of what it calls',
    explains: ({ ours, theirs }) => ours[0]?.name.endsWith('@plt') === true && theirs.length <= 1,
  },
  {
    reason: 'a symbol without a size ends with its section',
    explains: ({ ours, theirs, symbols }) =>
      ours.length === 0 && theirs.length === 1 && !symbols.hasSize(theirs[0]?.name ?? ''),
  },
  {
    reason: 'the file that a symbol without lines is listed under is not where its code is',
    explains: ({ kind, theirs, ours }) =>
      kind === 'file' && theirs.length === 1 && theirs[0]?.line === 0 && ours[0]?.file === '',
  },
];
