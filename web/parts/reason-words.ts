/** Why a frame has no name, in a reader's words, and what helps. */

export interface ReasonWords {
  title: string;
  /** What it means and what can be done. */
  meaning: string;
}

const KNOWN: Record<string, ReasonWords> = {
  'no build id': {
    title: 'The binary has no build id',
    meaning:
      'Its symbols cannot be told from those of another build. Link it with -Wl,--build-id; Go and Rust need no flag.',
  },
  'no debug information': {
    title: 'Its symbols are not here',
    meaning:
      'No agent has sent them and no other source had them. Upload the unstripped binary or its debug file.',
  },
  'no symbols in the file': {
    title: 'Its file has no symbols',
    meaning:
      'What arrived was stripped. Upload the unstripped binary, or the debug file that was split from it.',
  },
  'outside the file': {
    title: 'The address is outside the file',
    meaning:
      'No segment of the binary is mapped there: code made at run time, or a stack that was misread.',
  },
  'not covered': {
    title: 'No function is there',
    meaning:
      'The symbols name no function at this address: padding, hand-written assembly, or a function left out when it was stripped.',
  },
  'symbol file damaged': {
    title: 'Its symbol file cannot be read',
    meaning: 'The file on the server’s disk is damaged. Convert it again, or upload it anew.',
  },
};

/** Words for a reason; one that this page does not know is shown as the server calls it. */
export function wordsOfReason(reason: string): ReasonWords {
  return KNOWN[reason] ?? { title: capitalize(reason), meaning: '' };
}

export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
