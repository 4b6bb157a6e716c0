/**
 * The text of an answer, bounded: formats that repeat the whole stack in every line turn a profile
 * of a kilobyte into gigabytes, and V8's strings end at 512 MB.
 */
import { EverflameError } from '../errors.ts';

/** Characters of one text. */
const MAX_TEXT_LENGTH = 2 ** 28;

export class TextBuilder {
  readonly #parts: string[] = [];
  #length = 0;

  /** Throws `too-large` over the limit. */
  add(part: string): void {
    this.#length += part.length;
    if (this.#length > MAX_TEXT_LENGTH) {
      throw new EverflameError('too-large', 'the answer is too long in this format', {
        field: 'format',
        limit: `MAX_TEXT_LENGTH = ${MAX_TEXT_LENGTH}`,
        remedy: 'Ask for pprof or fg1, which hold each name once, or give max_nodes.',
      });
    }
    this.#parts.push(part);
  }

  text(): string {
    return this.#parts.join('');
  }
}

/** `&`, `<`, `>` and quotes as XML writes them; characters that XML does not know become U+FFFD. */
export function escapeXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids.
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;')
  );
}
