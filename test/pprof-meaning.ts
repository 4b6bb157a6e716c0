/**
 * What a pprof says, as lines of text that are equal for two pprofs that mean the same: rows in
 * another order, samples of one stack and label set as one or several, addresses of the process or
 * of the file. Of a frame that its writer named, the address is no part of the meaning.
 */
import { Profile } from 'pprof-format';

type Text = (index: number | bigint) => string;

export function describePprof(bytes: Uint8Array): string[] {
  const profile = Profile.decode(bytes);
  const text: Text = (index) => profile.stringTable.strings[Number(index)] ?? '';
  const typeText = (type: { type: number | bigint; unit: number | bigint } | undefined) =>
    type === undefined ? 'none' : `${text(type.type)}/${text(type.unit)}`;
  const types = profile.sampleType.map(typeText);
  const stacks = describeStacks(profile, text);
  const sums = new Map<string, bigint>();
  for (const sample of profile.sample) {
    const labels = sample.label.map(({ key, str, num, numUnit }) =>
      Number(str) > 0
        ? `${text(key)}=${JSON.stringify(text(str))}`
        : `${text(key)}=${num}${text(numUnit)}`,
    );
    const stack = sample.locationId.map((id) => stacks.get(Number(id)) ?? '?').join(' < ');
    sample.value.forEach((value, at) => {
      const line = `${types[at]} [${labels.sort().join(', ')}] ${stack}`;
      sums.set(line, (sums.get(line) ?? 0n) + BigInt(value));
    });
  }
  const samples = [...sums].filter(([, sum]) => sum !== 0n).map(([line, sum]) => `${line}: ${sum}`);
  return [
    `types ${[...types].sort().join(' ')}`,
    `period ${profile.period} ${typeText(profile.periodType)}`,
    `time ${BigInt(profile.timeNanos) / 1_000_000n} ms, for ${profile.durationNanos} ns`,
    ...profile.comment.map((row) => `comment ${text(row)}`).sort(),
    ...samples.sort(),
  ];
}

/** Locations by id: their functions, innermost first, or their place in a file. */
function describeStacks(profile: Profile, text: Text): Map<number, string> {
  const functions = new Map(profile.function.map((row) => [Number(row.id), row]));
  const mappings = new Map(profile.mapping.map((row) => [Number(row.id), row]));
  const stacks = new Map<number, string>();
  for (const { id, line, address, mappingId, isFolded } of profile.location) {
    const mapping = mappings.get(Number(mappingId));
    const file = mapping === undefined ? '' : text(mapping.filename);
    const buildId = mapping === undefined ? '' : text(mapping.buildId);
    const binary = buildId === '' ? file : `${file}#${buildId}`;
    const lines = line.map(({ functionId, line: number }) => {
      const row = functions.get(Number(functionId));
      if (row === undefined) return '?';
      const name = text(row.systemName) || text(row.name);
      return `${name} ${text(row.filename)}:${number} from ${row.startLine}`;
    });
    const place =
      mapping === undefined
        ? 'nowhere'
        : (BigInt(address) - BigInt(mapping.memoryStart) + BigInt(mapping.fileOffset)).toString(16);
    const said = lines.length > 0 ? lines.join(' in ') : place;
    stacks.set(Number(id), `${said} @${binary}${isFolded ? ' folded' : ''}`);
  }
  return stacks;
}
