/**
 * A fleet of 100 hosts as our agent sees it: 1,994 processes of 30 services, sampled at 19 Hz on
 * and off CPU in windows of 10 s; 200,000 stacks over 50,000 locations, of which 80 % are native.
 * A day has 51 million rows. Each window of a host is made from a seed of its own, in any order.
 */
import { createRandom, type Random } from './random.ts';

export const HOSTS = 100;
export const WINDOW_MS = 10_000;
export const WINDOWS_PER_HOUR = 360;
export const FREQUENCY_HZ = 19;
/** Of a sample on the CPU, ns. */
export const PERIOD_NS = Math.round(1e9 / FREQUENCY_HZ);
export const BINARIES = 200;
/** Addresses of a function lie this far apart, and three locations in each. */
export const FUNCTION_BYTES = 0x100;
export const LOCATIONS_PER_FUNCTION = 3;

const SERVICES = 30;
/** Services that have a process on every host; the others are drawn. */
const SERVICES_EVERYWHERE = 5;
const STACKS = 200_000;
const LOCATIONS = 50_000;
/** The last ones are shared by all services, the others are of one. */
const SHARED_BINARIES = 20;
const BINARIES_PER_SERVICE = (BINARIES - SHARED_BINARIES) / SERVICES;
/** Every so many windows all processes are replaced: three incarnations a day. */
const WINDOWS_PER_INCARNATION = 2_880;
const ZIPF_EXPONENT = 1.05;
const ZIPF_SLOTS = 65_536;

export interface FleetProcess {
  host: number;
  service: number;
  /** Different stacks and repetitions of a window, on average. */
  samples: number;
}

export interface FleetLocation {
  /** Number of the binary, or -1 where the location has a name and no address. */
  binary: number;
  address: number;
}

export interface Fleet {
  /** By host. */
  processes: readonly (readonly FleetProcess[])[];
  locations: readonly FleetLocation[];
  /** Stack i is `stackLocations[stackOffsets[i] .. stackOffsets[i + 1])`, leaf first. */
  stackOffsets: Uint32Array;
  stackLocations: Uint32Array;
  /** The first stack of each service; a last entry ends the last. */
  firstStack: Uint32Array;
  /** By service: ranks of its stacks, as often as they are drawn. */
  ranks: readonly Uint32Array[];
  /** By host: when in a window its report begins, ms. */
  hostOffsetMs: Uint32Array;
}

export function createFleet(): Fleet {
  const random = createRandom(1);
  const firstStack = shares(STACKS);
  const firstLocation = shares(LOCATIONS);
  const ranks = Array.from({ length: SERVICES }, (_, service) =>
    zipfRanks((firstStack[service + 1] as number) - (firstStack[service] as number)),
  );
  const { stackOffsets, stackLocations } = drawStacks(random, firstStack, firstLocation);
  const locations = placeLocations(firstLocation);
  const processes = Array.from({ length: HOSTS }, (_, host) => drawProcesses(random, host));
  const hostOffsetMs = Uint32Array.from({ length: HOSTS }, () => random.between(0, 9_999));
  return { processes, locations, stackOffsets, stackLocations, firstStack, ranks, hostOffsetMs };
}

export const incarnationOf = (window: number) => Math.floor(window / WINDOWS_PER_INCARNATION);

/** Splits `count` among the services by a power law; where each one's part begins. */
function shares(count: number): Uint32Array {
  const weights = Array.from({ length: SERVICES }, (_, service) => (service + 1) ** -0.6);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const first = new Uint32Array(SERVICES + 1);
  for (const [service, weight] of weights.entries()) {
    first[service + 1] = (first[service] as number) + Math.floor((count * weight) / sum);
  }
  first[SERVICES] = count;
  return first;
}

function zipfRanks(count: number): Uint32Array {
  const ranks = new Uint32Array(ZIPF_SLOTS);
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) sum += rank ** -ZIPF_EXPONENT;
  let rank = 1;
  let reached = 1;
  for (let slot = 0; slot < ZIPF_SLOTS; slot++) {
    const target = ((slot + 0.5) / ZIPF_SLOTS) * sum;
    while (reached < target && rank < count) reached += (++rank) ** -ZIPF_EXPONENT;
    ranks[slot] = rank - 1;
  }
  return ranks;
}

/** Normally distributed, mean 0, deviation 1. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.fraction()));
  return radius * Math.cos(2 * Math.PI * random.fraction());
}

/** Depth 5 to 80, 26 on average; most share their root's part with another of their service. */
function drawStacks(random: Random, firstStack: Uint32Array, firstLocation: Uint32Array) {
  const stackOffsets = new Uint32Array(STACKS + 1);
  let stackLocations = new Uint32Array(STACKS * 32);
  for (let service = 0; service < SERVICES; service++) {
    const begin = firstStack[service] as number;
    const low = firstLocation[service] as number;
    const width = (firstLocation[service + 1] as number) - low;
    for (let stack = begin; stack < (firstStack[service + 1] as number); stack++) {
      const depth = 5 + Math.min(75, Math.floor(Math.exp(normal(random) * 0.6 + 2.9)));
      const at = stackOffsets[stack] as number;
      const end = at + depth;
      if (end > stackLocations.length) {
        const larger = new Uint32Array(stackLocations.length * 2);
        larger.set(stackLocations);
        stackLocations = larger;
      }
      let kept = 0;
      if (stack > begin + 10) {
        const other = random.between(begin, stack - 1);
        const otherEnd = stackOffsets[other + 1] as number;
        const otherDepth = otherEnd - (stackOffsets[other] as number);
        kept = Math.min(depth - 1, Math.floor(random.fraction() * otherDepth));
        stackLocations.copyWithin(end - kept, otherEnd - kept, otherEnd);
      }
      for (let i = at; i < end - kept; i++) {
        stackLocations[i] = low + Math.floor(random.fraction() ** 2 * width);
      }
      stackOffsets[stack + 1] = end;
    }
  }
  return { stackOffsets, stackLocations };
}

/** Every fifth location has a name; of the others one in six is in a library that all share. */
function placeLocations(firstLocation: Uint32Array): FleetLocation[] {
  const used = new Uint32Array(BINARIES);
  const locations: FleetLocation[] = [];
  for (let service = 0; service < SERVICES; service++) {
    const end = firstLocation[service + 1] as number;
    for (let i = firstLocation[service] as number; i < end; i++) {
      if (i % 5 === 4) {
        locations.push({ binary: -1, address: 0 });
        continue;
      }
      const own = service * BINARIES_PER_SERVICE + (i % BINARIES_PER_SERVICE);
      const shared = BINARIES - SHARED_BINARIES + (i % SHARED_BINARIES);
      const binary = i % 6 === 0 ? shared : own;
      const row = used[binary] as number;
      used[binary] = row + 1;
      locations.push({ binary, address: addressOf(row) });
    }
  }
  return locations;
}

/** The row-th location of a binary. */
function addressOf(row: number): number {
  const fn = Math.floor(row / LOCATIONS_PER_FUNCTION);
  return 0x1000 + fn * FUNCTION_BYTES + (row % LOCATIONS_PER_FUNCTION) * 0x40 + 0x10;
}

function drawProcesses(random: Random, host: number): FleetProcess[] {
  const count = random.between(10, 30);
  return Array.from({ length: count }, (_, i) => ({
    host,
    service: i < SERVICES_EVERYWHERE ? i : random.between(SERVICES_EVERYWHERE, SERVICES - 1),
    samples: Math.min(120, Math.exp(normal(random) * 1.3 - 0.25)),
  }));
}

/** What one process did in one window: its stacks, each once. Filled anew for each. */
export class ProcessWindow {
  count = 0;
  readonly stacks = new Uint32Array(1_024);
  /** Samples where on CPU, else ns. */
  readonly values = new Float64Array(1_024);

  /** Stacks first <= n < end, at most as many as a window has room for, a sample of each. */
  take(first: number, end: number): void {
    this.count = Math.min(end - first, this.stacks.length);
    for (let row = 0; row < this.count; row++) this.stacks[row] = first + row;
    this.values.fill(1, 0, this.count);
  }

  draw(fleet: Fleet, process: FleetProcess, random: Random, offCpu: boolean): void {
    this.count = 0;
    const ranks = fleet.ranks[process.service] as Uint32Array;
    const first = fleet.firstStack[process.service] as number;
    const samples = eventCount(random, process.samples * (offCpu ? 0.8 : 1));
    for (let i = 0; i < samples; i++) {
      const stack = first + (ranks[random.next() % ZIPF_SLOTS] as number);
      const value = offCpu ? 1_000 * random.between(50, 100_050) : 1;
      const known = this.stacks.subarray(0, this.count).indexOf(stack);
      const row = known < 0 ? this.count++ : known;
      this.stacks[row] = stack;
      this.values[row] = (known < 0 ? 0 : (this.values[row] as number)) + value;
    }
  }
}

/** Poisson distributed; above 30 its normal approximation. */
function eventCount(random: Random, mean: number): number {
  if (mean >= 30) return Math.max(0, Math.round(mean + normal(random) * Math.sqrt(mean)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.fraction(); product > limit; product *= random.fraction()) count++;
  return count;
}
