/**
 * The samples of one window, summed by (program image, kernel stack, user stack). Stacks are ids of
 * the window's stack maps, or numbers given here to those that travelled whole.
 */
import { assert } from '../profile/errors.ts';
import type { ImageKey, Sample } from './sample-record.ts';
import { Reason, STACK_WHOLE } from './sample-record.ts';

/** Whole stacks are numbered from here; ids of stack maps are below. */
export const FIRST_WHOLE_STACK = 2 ** 20;
/** Kernel and user stack in one number: both offset by 3, so that STACK_NONE and so on fit. */
const STACK_RADIX = 2 ** 26;

export interface StackPair {
  /** An id of a stack map, a number from FIRST_WHOLE_STACK, STACK_NONE or STACK_FAILED. */
  kernelStack: number;
  userStack: number;
  count: number;
}

export interface ImageSums {
  key: ImageKey;
  /** Pair of stacks, as one number -> samples. */
  counts: Map<number, number>;
}

export class StackSums {
  /** Samples added. */
  samples = 0;
  readonly reasons = { kernelFailed: 0, userFailed: 0, collided: 0 };
  readonly #images: ImageSums[] = [];
  readonly #imagesOfTgid = new Map<number, ImageSums[]>();
  /** Hash -> numbers of the whole stacks that have it. */
  readonly #wholeNumbers = new Map<number, number[]>();
  readonly #wholeStacks: BigUint64Array[] = [];

  add(sample: Sample): void {
    const kernel = this.#stackOf(sample.kernelStack, sample.kernelFrames);
    const user = this.#stackOf(sample.userStack, sample.userFrames);
    const pair = (kernel + 3) * STACK_RADIX + (user + 3);
    const counts = this.#imageOf(sample).counts;
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
    this.samples++;
    const { reasons } = sample;
    if ((reasons & Reason.kernelStackFailed) !== 0) this.reasons.kernelFailed++;
    if ((reasons & Reason.userStackFailed) !== 0) this.reasons.userFailed++;
    if ((reasons & (Reason.kernelStackCollided | Reason.userStackCollided)) !== 0) {
      this.reasons.collided++;
    }
  }

  images(): Iterable<ImageSums> {
    return this.#images;
  }

  wholeStack(number: number): BigUint64Array {
    const stack = this.#wholeStacks[number - FIRST_WHOLE_STACK];
    assert(stack !== undefined, 'a whole stack that this window has');
    return stack;
  }

  #imageOf({ tgid, startNs, image }: ImageKey): ImageSums {
    let images = this.#imagesOfTgid.get(tgid);
    if (images === undefined) {
      images = [];
      this.#imagesOfTgid.set(tgid, images);
    }
    const known = images.find(({ key }) => key.image === image && key.startNs === startNs);
    if (known !== undefined) return known;
    const sums = { key: { tgid, startNs, image }, counts: new Map() };
    images.push(sums);
    this.#images.push(sums);
    return sums;
  }

  /** Equal whole stacks get one number, so that a hot stack that collides is still one row. */
  #stackOf(id: number, frames: BigUint64Array | null): number {
    if (id !== STACK_WHOLE) return id;
    assert(frames !== null, 'a stack that is not in a map follows its record');
    const hash = hashOf(frames);
    let numbers = this.#wholeNumbers.get(hash);
    if (numbers === undefined) {
      numbers = [];
      this.#wholeNumbers.set(hash, numbers);
    }
    const known = numbers.find((number) => areEqual(this.wholeStack(number), frames));
    if (known !== undefined) return known;
    const number = FIRST_WHOLE_STACK + this.#wholeStacks.length;
    assert(number < STACK_RADIX - 3, 'fewer whole stacks than a pair can number');
    numbers.push(number);
    this.#wholeStacks.push(frames);
    return number;
  }
}

function hashOf(frames: BigUint64Array): number {
  let hash = 0;
  for (const word of new Int32Array(frames.buffer, frames.byteOffset, 2 * frames.length)) {
    hash = Math.imul(hash ^ word, 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function areEqual(a: BigUint64Array, b: BigUint64Array): boolean {
  return a.length === b.length && a.every((frame, i) => frame === b[i]);
}

export function stackPairs(image: ImageSums): StackPair[] {
  const pairs: StackPair[] = [];
  image.counts.forEach((count, pair) => {
    const kernelStack = Math.floor(pair / STACK_RADIX) - 3;
    pairs.push({ kernelStack, userStack: (pair % STACK_RADIX) - 3, count });
  });
  return pairs;
}

/** One text per program image; a Map key. */
export function imageText(key: ImageKey): string {
  return `${key.tgid}/${key.startNs}/${key.image}`;
}
