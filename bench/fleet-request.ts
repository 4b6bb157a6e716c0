/** A window of one of the fleet's hosts as the WriteRaw request that its agent sends. */
import { gzipSync } from 'node:zlib';
import { PprofWriter } from '../profile/pprof/encode.ts';
import type { BuildId } from '../profile/units.ts';
import { BUSY_CPU_NS, EXCLUDED, LOST_PREFIX, SAMPLED, SENT } from '../profile/window-counters.ts';
import { encodeWriteRaw, type RawSeries, type ReportWindow } from '../wire/write-raw.ts';
import {
  BINARIES,
  type Fleet,
  type FleetProcess,
  FREQUENCY_HZ,
  incarnationOf,
  PERIOD_NS,
  ProcessWindow,
  WINDOW_MS,
} from './fleet.ts';
import { createRandom } from './random.ts';

const CPU = { type: 'cpu', unit: 'nanoseconds' };
const OFF_CPU = { type: 'off_cpu', unit: 'nanoseconds' };
/** No binary is as large. */
const TEXT_BYTES = 0x100_0000n;

export interface FleetRequest {
  body: Uint8Array;
  /** Rows of the store: (type, series, time, stack). */
  rows: number;
  profiles: number;
  cpuSamples: number;
  offCpuNs: number;
}

export function binaryBuildId(binary: number): BuildId {
  return `b1${String(binary).padStart(38, '0')}` as BuildId;
}

export const binaryName = (binary: number) => `lib-${String(binary).padStart(3, '0')}.so`;

const KERNEL = { start: 0n, limit: 0n, offset: 0n, file: '[kernel]', buildId: '' };
/** By number of the binary + 1; the first is what named locations lie in. */
const MAPPINGS = [
  KERNEL,
  ...Array.from({ length: BINARIES }, (_, binary) => ({
    start: 0n,
    limit: TEXT_BYTES,
    offset: 0n,
    file: `/usr/lib/fleet/${binaryName(binary)}`,
    buildId: binaryBuildId(binary),
  })),
];

/** The labels of its series; its third incarnation is another pod. */
export function processLabels(process: FleetProcess, row: number, incarnation: number) {
  const { host, service } = process;
  const name = `svc-${service}`;
  const pod = `${name}-${host.toString(36)}${row.toString(36)}-${incarnation}`;
  return {
    service_name: name,
    host: `host-${String(host).padStart(3, '0')}`,
    comm: `${name}-bin`,
    exe: `/opt/${name}/bin/${name}-bin`,
    container_id: `${pod}-0123456789abcdef`,
    container: name,
    pod,
    namespace: `ns-${service % 6}`,
    version: `1.${service}.${incarnation}`,
    zone: `zone-${host % 3}`,
    region: `region-${host % 2}`,
    arch: host % 4 === 0 ? 'arm64' : 'amd64',
    kernel: `6.${host % 5}.0`,
  };
}

/** Makes requests one after the other; keeps its buffers. */
export class FleetEncoder {
  readonly #fleet: Fleet;
  /** Names the run: the same window of another run is another batch. */
  readonly #run: string;
  readonly #startMs: number;
  readonly #writer = new PprofWriter();
  readonly #window = new ProcessWindow();
  readonly #values = new Float64Array(2);
  #rows = new Uint32Array(4_096);
  /** Profile in which a location or mapping was written last, and its row there. */
  #profile = 0;
  readonly #locationProfile: Uint32Array;
  readonly #locationRow: Uint32Array;
  readonly #mappingProfile = new Uint32Array(BINARIES + 1);
  readonly #mappingRow = new Uint32Array(BINARIES + 1);
  #locationCount = 0;
  readonly #names: string[] = [];

  /** `startMs`: when window 0 begins. */
  constructor(fleet: Fleet, run: string, startMs: number) {
    this.#fleet = fleet;
    this.#run = run;
    this.#startMs = startMs;
    this.#locationProfile = new Uint32Array(fleet.locations.length);
    this.#locationRow = new Uint32Array(fleet.locations.length);
  }

  encode(host: number, window: number): FleetRequest {
    const random = createRandom(window * 1_000 + host + 7);
    const offsetMs = this.#fleet.hostOffsetMs[host] as number;
    const startMs = this.#startMs + window * WINDOW_MS + offsetMs;
    const sums: FleetRequest = {
      body: new Uint8Array(0),
      rows: 0,
      profiles: 0,
      cpuSamples: 0,
      offCpuNs: 0,
    };
    const series: RawSeries[] = [];
    for (const [row, process] of (this.#fleet.processes[host] ?? []).entries()) {
      const profiles: Uint8Array[] = [];
      for (const offCpu of [false, true]) {
        this.#window.draw(this.#fleet, process, random, offCpu);
        const { count, values } = this.#window;
        if (count === 0) continue;
        for (let i = 0; i < count; i++) {
          if (offCpu) sums.offCpuNs += values[i] as number;
          else sums.cpuSamples += values[i] as number;
        }
        sums.rows += count;
        profiles.push(this.#encodeProfile(startMs, offCpu));
      }
      if (profiles.length === 0) continue;
      sums.profiles += profiles.length;
      const labels = Object.entries(processLabels(process, row, incarnationOf(window)));
      series.push({ labels: labels.map(([name, value]) => ({ name, value })), profiles });
    }
    sums.body = this.#encodeRequest(host, window, startMs, series, sums.cpuSamples);
    return sums;
  }

  /** Every stack that the fleet ever has, once, about the time of its first window. */
  *encodeAllStacks(): Generator<Uint8Array> {
    const { processes, firstStack } = this.#fleet;
    const services = new Map(processes.flat().map((process) => [process.service, process]));
    let timeMs = this.#startMs;
    for (const [service, process] of services) {
      const labels = Object.entries(processLabels(process, 0, 0));
      const end = firstStack[service + 1] as number;
      for (let first = firstStack[service] as number; first < end; first += this.#window.count) {
        this.#window.take(first, end);
        const profiles = [this.#encodeProfile(timeMs++, false)];
        const series = [{ labels: labels.map(([name, value]) => ({ name, value })), profiles }];
        const request = { tenant: '', series, normalized: true, report: null };
        yield gzipSync(encodeWriteRaw(request), { level: 1 });
      }
    }
  }

  #encodeRequest(
    host: number,
    seq: number,
    startMs: number,
    series: RawSeries[],
    sent: number,
  ): Uint8Array {
    const counters = {
      [SAMPLED]: sent,
      [EXCLUDED]: 0,
      [SENT]: sent,
      [`${LOST_PREFIX}ring_full`]: 0,
      [`${LOST_PREFIX}read`]: 0,
      [BUSY_CPU_NS]: sent * PERIOD_NS,
      stack_collisions: 0,
      process_records_lost: 0,
      series_overflow: 0,
    };
    const report: ReportWindow = {
      seq,
      startMs,
      lengthMs: WINDOW_MS,
      frequencyHz: FREQUENCY_HZ,
      counters,
    };
    const request = encodeWriteRaw({
      tenant: '',
      series,
      normalized: true,
      report: {
        batchId: `${this.#run}-${host}-${seq}`,
        agentId: `${this.#run}-agent-${host}`,
        agentVersion: '0.1.0',
        host: `host-${String(host).padStart(3, '0')}`,
        kernel: `6.${host % 5}.0`,
        windows: [report],
      },
    });
    // The level that the agent has.
    return gzipSync(request, { level: 1 });
  }

  #encodeProfile(startMs: number, offCpu: boolean): Uint8Array {
    const writer = this.#writer;
    const { count, stacks, values } = this.#window;
    const { stackOffsets, stackLocations } = this.#fleet;
    this.#profile++;
    this.#locationCount = 0;
    if (!offCpu) writer.sampleType({ type: 'samples', unit: 'count' });
    writer.sampleType(offCpu ? OFF_CPU : CPU);
    for (let i = 0; i < count; i++) {
      const from = stackOffsets[stacks[i] as number] as number;
      const depth = (stackOffsets[(stacks[i] as number) + 1] as number) - from;
      if (depth > this.#rows.length) this.#rows = new Uint32Array(2 * depth);
      for (let k = 0; k < depth; k++) {
        this.#rows[k] = this.#rowOf(stackLocations[from + k] as number);
      }
      const sample = writer.beginSample(this.#rows, 0, depth);
      this.#values[0] = values[i] as number;
      this.#values[1] = (values[i] as number) * PERIOD_NS;
      writer.values(this.#values, 0);
      writer.endSample(sample);
    }
    writer.times(BigInt(startMs) * 1_000_000n, BigInt(WINDOW_MS) * 1_000_000n);
    writer.period(offCpu ? OFF_CPU : CPU, offCpu ? 1 : PERIOD_NS);
    return writer.finish();
  }

  #rowOf(location: number): number {
    if (this.#locationProfile[location] === this.#profile) {
      return this.#locationRow[location] as number;
    }
    const { binary, address } = this.#fleet.locations[location] as {
      binary: number;
      address: number;
    };
    const mapping = this.#mappingOf(binary);
    if (binary >= 0) {
      this.#writer.nativeLocation(mapping, address);
    } else {
      const name = this.#nameOf(location);
      this.#writer.namedLocation(mapping, this.#writer.function(name, name, '', 0));
    }
    this.#locationProfile[location] = this.#profile;
    this.#locationRow[location] = this.#locationCount;
    return this.#locationCount++;
  }

  #nameOf(location: number): string {
    let name = this.#names[location];
    if (name === undefined) {
      name = `named_function_${location}`;
      this.#names[location] = name;
    }
    return name;
  }

  #mappingOf(binary: number): number {
    const slot = binary + 1;
    if (this.#mappingProfile[slot] !== this.#profile) {
      this.#mappingProfile[slot] = this.#profile;
      this.#mappingRow[slot] = this.#writer.mapping(MAPPINGS[slot] ?? KERNEL);
    }
    return this.#mappingRow[slot] as number;
  }
}
