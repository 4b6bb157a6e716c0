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
  'debug information not converted yet': {
    title: 'Its symbols are being made',
    meaning:
      'The debug information has arrived and is being converted. Names appear by themselves.',
  },
  'conversion failed': {
    title: 'Its file could not be converted',
    meaning:
      'What arrived is damaged or over a limit. The page of symbols says which, and what to do.',
  },
  'debug information evicted': {
    title: 'Its symbols had to go',
    meaning:
      'The server keeps to --debuginfo-bytes, and this binary was not used for longest. Raise it, or look again.',
  },
  'debug information incomplete': {
    title: 'A part of its symbols is not here',
    meaning:
      'The debug information refers to .dwo or dwz files. Upload the program where it was built, beside them.',
  },
  'debug information damaged': {
    title: 'A part of its debug information is damaged',
    meaning: 'The page of symbols says what could not be read. Upload a file that is whole.',
  },
  stripped: {
    title: 'Its file is stripped',
    meaning:
      'Only exported functions have names. Upload the unstripped binary, or the debug file that was split from it.',
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
  'file offsets not known': {
    title: 'Its addresses are not told',
    meaning:
      'The profile has positions in the file, and the debug file does not say which addresses those are. Upload the program itself as well.',
  },
  'not covered': {
    title: 'No function is there',
    meaning:
      'The symbols name no function at this address: padding, or assembly code without symbols.',
  },
  'symbol file damaged': {
    title: 'Its symbol file cannot be read',
    meaning: 'The file on the server’s disk is damaged. Convert it again, or upload it anew.',
  },
  'no symbol': {
    title: 'Nothing names this code',
    meaning: 'It lies in a part of memory that has no file, such as [vdso], and no symbol.',
  },
  'no mapping': {
    title: 'The address is in no mapping',
    meaning:
      'Nothing was mapped there when the profile was written: code that is gone, or a stack that was misread.',
  },
  'outside of all segments': {
    title: 'The address is in no segment of its file',
    meaning: 'The file was replaced while it ran, or the stack was misread.',
  },
  'binary unreadable': {
    title: 'The agent could not read its file',
    meaning: 'The file was deleted or lies where the agent may not look. Run it as root.',
  },
  'not an ELF file': {
    title: 'It is in a file that is no program',
    meaning: 'Code was mapped from a file that is not ELF; nothing in it names functions.',
  },
  'process exited': {
    title: 'The process had ended',
    meaning: 'It was gone before the agent could read what was mapped in it.',
  },
  'mappings unreadable': {
    title: 'The agent could not read what is mapped',
    meaning: 'The kernel refused /proc/PID/maps. Run the agent as root.',
  },
  'user stack failed': {
    title: 'The stack could not be walked',
    meaning: 'The kernel could not read the program’s stack: its pages were not in memory.',
  },
  'kernel stack failed': {
    title: 'The kernel’s stack could not be walked',
    meaning: 'The kernel gave no stack for this sample.',
  },
  'user stack truncated': {
    title: 'The stack is deeper than is kept',
    meaning: 'Its outermost frames are missing: the stack has more than 127 of them.',
  },
  'kernel stack truncated': {
    title: 'The kernel’s stack is deeper than is kept',
    meaning: 'Its outermost frames are missing: the stack has more than 127 of them.',
  },
  'stack map lost': {
    title: 'The stack was overwritten',
    meaning:
      'The sample counts, but its stack’s place was taken by another one before it was read.',
  },
  'no stack': {
    title: 'There was no stack',
    meaning: 'Neither the kernel nor the program had one when the sample was taken.',
  },
  'no perf map': {
    title: 'Code made at run time, without names',
    meaning:
      'The runtime writes no perf map. Start Node with --perf-basic-prof, Java with -XX:+PreserveFramePointer and a perf map agent.',
  },
  'not in the perf map': {
    title: 'Code made at run time, without a name',
    meaning:
      'The runtime’s perf map does not name it: it was made or moved after the map was read.',
  },
  'no kernel symbol': {
    title: 'A kernel address without a symbol',
    meaning: 'No symbol of the kernel, its modules or BPF programs covers it.',
  },
  'kernel addresses hidden': {
    title: 'The kernel hides its addresses',
    meaning:
      'The agent may not read /proc/kallsyms. Run it as root, or set kernel.kptr_restrict to 0 or 1.',
  },
};

/** Words for a reason; one that this page does not know is shown as the server calls it. */
export function wordsOfReason(reason: string): ReasonWords {
  return KNOWN[reason] ?? { title: capitalize(reason), meaning: '' };
}

export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
