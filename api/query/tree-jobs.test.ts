import fc from 'fast-check';
import { Profile } from 'pprof-format';
import { describe, expect, test } from 'vitest';
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { fromErrorRecord } from '../../profile/errors.ts';
import { decodeFg1 } from '../../profile/flame/fg1.ts';
import { deriveTree, type FlameGraph } from '../../profile/flame/flame-graph.ts';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import { stringReader } from '../../profile/strings.ts';
import { formatGraphText, textMeta } from '../../profile/text.ts';
import type { BuildId, ElfAddress } from '../../profile/units.ts';
import { demangle } from '../../symbolizer/demangle/demangle.ts';
import type { SymbolFileRow } from '../../symbolizer/symbolizer.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import type { FunctionsJson, MergeJson } from '../../wire/http.ts';
import { LocationFrames } from './location-frames.ts';
import type { Answer } from './params.ts';
import { StackTree } from './stack-tree.ts';
import { StopFlag } from './stop-flag.ts';
import { type OpenSymbolFile, SymbolNames } from './symbol-names.ts';
import { TreeJobs } from './tree-jobs.ts';
import type { GraphJob, StackWeights, TreeJob } from './tree-messages.ts';

const goOn = () => {};

/** Stack i of the dictionary has value i of the list; zeros are left out. */
function weigh(values: readonly number[], more: Partial<StackWeights> = {}): StackWeights {
  const stacks = values.map((_, stack) => stack).filter((stack) => values[stack] !== 0);
  return {
    groups: [{}],
    group: new Uint32Array(stacks.length),
    stack: Uint32Array.from(stacks),
    value: Float64Array.from(stacks, (stack) => values[stack] as number),
    multiplier: 1,
    ...more,
  };
}

/**
 * Every symbol file has `alpha` at 0x10..0x1f, `beta` at 0x20..0x2f and `c::gamma()` at 0x30..0x3f;
 * offsets + 0x10 = address.
 */
const openSymbols: OpenSymbolFile = () => {
  const symbol = (name: string) => ({ kind: 'symbol', lines: [{ name, file: '', line: 0 }] });
  const elfAddress = (offset: number) => (offset < 0x100 ? offset + 0x10 : null) as ElfAddress;
  return {
    elfAddress,
    lookup(address, space) {
      const elf = space === 'elf' ? address : elfAddress(address);
      if (elf === null) return { kind: 'unknown', reason: 'unmapped' };
      if (elf >= 0x10 && elf < 0x20) return symbol('alpha');
      if (elf >= 0x20 && elf < 0x30) return symbol('beta');
      if (elf >= 0x30 && elf < 0x40) return symbol('_ZN1c5gammaEv');
      return { kind: 'unknown', reason: 'not-covered' };
    },
    close() {},
  } as ReturnType<OpenSymbolFile>;
};

function symbolFile(buildId: string, path = buildId, generation = 1): SymbolFileRow {
  return { buildId: buildId as BuildId, path, generation };
}

interface World {
  stop?: Int32Array;
  dictionary?: DictionaryColumns;
  symbolFiles?: readonly SymbolFileRow[];
}

function run(jobs: TreeJobs, job: TreeJob, world: World = {}): Answer {
  const reply = jobs.reply({ id: 1, job, ...world });
  if ('error' in reply) throw fromErrorRecord(reply.error);
  return reply.answer;
}

function graphJob(values: readonly number[], more: Partial<GraphJob> = {}): GraphJob {
  return {
    kind: 'graph',
    filters: [],
    tree: { granularity: 'function' },
    format: 'fg1',
    by: [],
    weights: weigh(values),
    base: null,
    mode: 'absolute',
    meta: textMeta(0),
    ...more,
  };
}

function decode(answer: Answer): FlameGraph {
  return decodeFg1(answer.body as Uint8Array);
}

function draw(text: string, values: readonly number[], more: Partial<GraphJob> = {}): string {
  const jobs = new TreeJobs(openSymbols, demangle);
  const world = { dictionary: parseDictionaryText(text), symbolFiles: [symbolFile('abc')] };
  return formatGraphText(decode(run(jobs, graphJob(values, more), world)));
}

describe('which frames are one node', () => {
  test('one function at two lines; the same name in another binary is another', () => {
    const text = `
      main:1@/usr/bin/app;read@/lib/libc.so
      main:2@/usr/bin/app;read@/lib/libc.so
      main@/usr/bin/other;read@/lib/libc.so
      main@/opt/app`;
    expect(draw(text, [1, 2, 3, 4])).toBe(`total 0/10
  main@app 4/7
    read@libc.so 3/3
  main@other 0/3
    read@libc.so 3/3
`);
  });

  test('kinds differ', () => {
    const text = 'read@x\nread@x{kernel}';
    expect(draw(text, [1, 2])).toBe('total 0/3\n  read@x 1/1\n  read@x 2/2\n');
  });

  test('inlined functions are frames of their own, marked', () => {
    expect(draw('main@a;outer>middle>inner@a', [5])).toBe(`total 0/5
  main@a 0/5
    outer@a 0/5
      ~middle@a 0/5
        ~inner@a 5/5
`);
  });

  test('addresses: named by symbol files, else one node each', () => {
    const text = `
      0x11@/bin/x#abc
      0x12@/bin/x#abc;0x21@/bin/x#abc
      file:0x1@/bin/x#abc
      file:0xf0@/bin/x#abc
      0x100@/bin/x#abc
      0x11@/bin/x#other
      0x11@/bin/x
      0x11@`;
    expect(draw(text, [1, 2, 4, 8, 16, 32, 64, 128])).toBe(`total 0/255
  [anon]+0x11 128/128
  alpha@x 5/7
    beta@x 2/2
  x+0x100@x 24/24
  x+0x11@x 32/32
  x+0x11@x 64/64
`);
  });

  test.each([
    ['function', 'total 0/7\n  main@a 7/7\n'],
    ['file', 'total 0/7\n  main@a 4/4\n  main@a 3/3\n'],
    ['line', 'total 0/7\n  main@a 4/4\n  main@a 1/1\n  main@a 2/2\n'],
  ] as const)('granularity %s', (granularity, drawing) => {
    const text = 'main(x.c):1@a\nmain(x.c):2@a\nmain(y.c):1@a';
    const drawn = draw(text, [1, 2, 4], { tree: { granularity } });
    expect(drawn.split('\n').sort()).toEqual(drawing.split('\n').sort());
  });

  test('into one line of a function of many: by its name and its place', () => {
    const text = 'main(x.c):1@a;f(y.c):2@a\nmain(x.c):2@a;g(y.c):1@a\nmain(z.c):2@a;h@a';
    const into = (root: string[], rootAt?: string[]) =>
      draw(text, [1, 2, 4], {
        tree: { granularity: 'line', root, ...(rootAt === undefined ? {} : { rootAt }) },
      });
    expect(into(['main'], ['x.c:2'])).toBe('total 0/7 [5 left out]\n  main@a 0/2\n    g@a 2/2\n');
    expect(into(['main', 'h'], ['z.c:2', ''])).toBe(
      'total 0/7 [3 left out]\n  main@a 0/4\n    h@a 4/4\n',
    );
    expect(into(['main']).split('\n')).toHaveLength(8);
    expect(() => into(['main'], ['x.c:9'])).toThrow('no stack begins with main');
  });

  test('granularity address tells addresses of one function apart', () => {
    const text = '0x11@/bin/x#abc\n0x12@/bin/x#abc';
    const drawn = draw(text, [1, 2], { tree: { granularity: 'address' } });
    expect(drawn).toContain('alpha@x 1/1');
    expect(drawn).toContain('alpha@x 2/2');
  });

  test('a stack without frames is weight of the root', () => {
    expect(draw('-\nmain', [1, 2])).toBe('total 1/3\n  main 2/2\n');
  });
});

test('label values are the first levels', () => {
  const weights = weigh([1, 2, 4], {
    groups: [{ host: 'a' }, { host: 'b' }, {}],
    group: Uint32Array.of(0, 1, 2),
  });
  const drawn = draw('main;x\nmain;x\nmain', [], { weights, by: ['host'] });
  expect(drawn).toBe(`total 0/7
  (no host) 0/4
    main 4/4
  a 0/1
    main 0/1
      x 1/1
  b 0/2
    main 0/2
      x 2/2
`);
});

test('a label that is called as a property of every object is absent where it was not sent', () => {
  const weights = weigh([1]);
  for (const name of ['__proto__', 'constructor']) {
    expect(draw('main', [], { weights, by: [name] })).toBe(`total 0/1
  (no ${name}) 0/1
    main 1/1
`);
  }
});

test('both sides of a diff, and its JSON in three measures', () => {
  const text = 'main;x\nmain;y\nmain;z';
  const job = { base: weigh([1, 1, 0]), weights: weigh([3, 0, 5]) };
  expect(draw(text, [], job)).toBe(`total 0/2 -> 0/8
  main 0/2 -> 0/8
    x 1/1 -> 3/3
    y 1/1 -> 0/0
    z 0/0 -> 5/5
`);
  const json = (mode: GraphJob['mode']): MergeJson => {
    const meta = { ...textMeta(0, 0), toMs: 4000 };
    const jobs = new TreeJobs(openSymbols, demangle);
    const world = { dictionary: parseDictionaryText(text), symbolFiles: [] };
    const graph = graphJob([], {
      weights: weigh([3, 0, 5]),
      base: weigh([1, 1, 0]),
      format: 'json',
      mode,
      meta,
    });
    return JSON.parse(run(jobs, graph, world).body as string) as MergeJson;
  };
  expect(json('absolute')).toMatchObject({ unit: 'count', total: 8, base: { total: 2 } });
  expect(json('share').nodes.total_base?.slice(0, 2)).toEqual([1, 1]);
  expect(json('share')).toMatchObject({ unit: 'share', total: 1, base: { total: 1 } });
  expect(json('rate')).toMatchObject({ unit: 'count/second', total: 2, base: { total: 2 } });
});

test('what is left out is stated, in the unit', () => {
  const jobs = new TreeJobs(openSymbols, demangle);
  const world = { dictionary: parseDictionaryText('a;b\nc'), symbolFiles: [] };
  const tree = { granularity: 'function', maxNodes: 2 } as const;
  const weights = weigh([5, 2], { multiplier: 10 });
  const graph = decode(run(jobs, graphJob([], { tree, weights }), world));
  expect(graph.meta.totalAfterFilters).toBe(70);
  expect(graph.meta.quality.series.truncated).toBe(70);
});

test('quality: incomplete stacks and leaves without a name, by reason', () => {
  const text = `
    [unknown: stack truncated]{unknown};main@a
    main@a;[unknown: no mapping]@[anon]{unknown}
    main@a;0x1@/bin/x#none
    main@a;0x99@/bin/x#abc
    main@a;0x99@/bin/x
    0x1@/bin/x#none;main@a`;
  const jobs = new TreeJobs(openSymbols, demangle);
  const world = { dictionary: parseDictionaryText(text), symbolFiles: [symbolFile('abc')] };
  const weights = weigh([1, 2, 4, 8, 16, 32], { multiplier: 10 });
  const { meta } = decode(run(jobs, graphJob([], { weights }), world));
  expect(meta.quality.series).toMatchObject({
    incomplete: { 'stack truncated': 10, 'no mapping': 20 },
    unsymbolized: { 'no debug information': 40, 'not covered': 80, 'no build id': 160 },
  });
});

describe('functions', () => {
  const dictionary = parseDictionaryText('main@a;f@a;f@a\nmain@a;g@b\nmain@a');
  const page = (more: object): string => {
    const jobs = new TreeJobs(openSymbols, demangle);
    const job = {
      kind: 'functions',
      filters: [],
      weights: weigh([5, 2, 1], { multiplier: 2 }),
      sort: 'self',
      names: 'full',
      search: '',
      offset: 0,
      limit: 10,
      meta: textMeta(0),
      ...more,
    } as const;
    const json = JSON.parse(
      run(jobs, job, { dictionary, symbolFiles: [] }).body as string,
    ) as FunctionsJson;
    const lines = json.functions.map((row) => `${row.name}@${row.binary} ${row.self}/${row.total}`);
    return `${json.count} of ${json.total}: ${lines.join(', ')}`;
  };
  test.each([
    [{}, '3 of 16: f@a 10/10, g@b 4/4, main@a 2/16'],
    [{ sort: 'total' }, '3 of 16: main@a 2/16, f@a 10/10, g@b 4/4'],
    [{ sort: 'name', offset: 1, limit: 1 }, '3 of 16: g@b 4/4'],
    [{ search: '^[fg]$' }, '2 of 16: f@a 10/10, g@b 4/4'],
    [{ search: 'a' }, '1 of 16: main@a 2/16'],
  ])('%o', (more, line) => expect(page(more)).toBe(line));

  test('a search that is no regular expression', () => {
    expect(() => page({ search: '(' })).toThrow('is not a regular expression');
  });
});

describe('mangled names', () => {
  const text = `
    0x30@/bin/x#abc
    _ZN1c5gammaEv@/bin/x
    c::gamma@/bin/x`;
  const world = { dictionary: parseDictionaryText(text), symbolFiles: [symbolFile('abc')] };

  test('are shown demangled; what a function is, the mangled name says', () => {
    const job = graphJob([1, 2, 4]);
    const { frames, strings } = decode(run(new TreeJobs(openSymbols, demangle), job, world));
    const read = stringReader(strings);
    const names = Array.from(
      frames.name,
      (name, row) => `${read(name)} = ${read(frames.systemName[row] as number)}`,
    );
    expect(names.slice(1)).toEqual(['c::gamma() = _ZN1c5gammaEv', 'c::gamma = c::gamma']);
  });

  test.each([
    ['full', '^c::gamma', ['c::gamma', 'c::gamma()']],
    ['raw', '^c::gamma', ['c::gamma']],
    ['raw', '^_Z', ['c::gamma()']],
  ] as const)('%s names are found by %s', (names, search, found) => {
    const job: TreeJob = {
      kind: 'functions',
      filters: [],
      weights: weigh([1, 2, 4]),
      meta: textMeta(0),
      sort: 'self',
      names,
      offset: 0,
      limit: 10,
      search,
    };
    const body = run(new TreeJobs(openSymbols, demangle), job, world).body as string;
    const { functions } = JSON.parse(body) as FunctionsJson;
    const rows = [
      ['c::gamma', 'c::gamma', 4],
      ['c::gamma()', '_ZN1c5gammaEv', 3],
    ];
    expect(functions.map((f) => [f.name, f.system_name, f.self])).toEqual(
      rows.filter(([name]) => found.some((wanted) => wanted === name)),
    );
  });

  test('are both in a pprof', () => {
    const job = {
      kind: 'pprof',
      tree: { granularity: 'function' },
      filters: [],
      by: [],
      weights: weigh([1, 2, 4]),
      type: parseProfileType('process_cpu:cpu:nanoseconds:cpu:nanoseconds'),
      period: 10,
      comments: [],
      meta: { ...textMeta(0), fromMs: 1000, toMs: 3000 },
    } as const;
    const body = run(new TreeJobs(openSymbols, demangle), job, world).body as Uint8Array;
    const profile = Profile.decode(body);
    const string = (index: number | bigint) => profile.stringTable.strings[Number(index)];
    expect(profile.function.map((f) => [string(f.name), string(f.systemName)])).toEqual([
      ['c::gamma()', '_ZN1c5gammaEv'],
      ['c::gamma()', '_ZN1c5gammaEv'],
      ['c::gamma', 'c::gamma'],
    ]);
  });
});

test('pprof: names that were found, addresses that were not, groups as labels', () => {
  const text = 'main(m.c):3@/bin/a;outer>inner@/bin/a;0x11@/bin/x#abc\n0x5000@/bin/x#abc';
  const weights = weigh([3, 4], {
    multiplier: 10,
    groups: [{ host: 'a' }, {}],
    group: Uint32Array.of(0, 1),
  });
  const job = {
    kind: 'pprof',
    tree: { granularity: 'function' },
    filters: [],
    by: [],
    weights,
    type: parseProfileType('process_cpu:cpu:nanoseconds:cpu:nanoseconds'),
    period: 10,
    comments: ['c'],
    meta: { ...textMeta(0), fromMs: 1000, toMs: 3000 },
  } as const;
  const world = { dictionary: parseDictionaryText(text), symbolFiles: [symbolFile('abc')] };
  const profile = Profile.decode(
    run(new TreeJobs(openSymbols, demangle), job, world).body as Uint8Array,
  );
  const string = (index: number | bigint) => profile.stringTable.strings[Number(index)] ?? '';
  const location = (id: number | bigint): string => {
    const row = profile.location[Number(id) - 1];
    const names = row?.line.map(
      (line) =>
        string(profile.function[Number(line.functionId) - 1]?.name ?? 0) + (line.line || ''),
    );
    const mapping = profile.mapping[Number(row?.mappingId) - 1];
    return `${names?.join('<') || `0x${row?.address.toString(16)}`}@${string(mapping?.filename ?? 0)}`;
  };
  const lines = profile.sample.map(
    (sample) =>
      `${sample.locationId.map(location).reverse().join(' ')} ${sample.value} ` +
      sample.label.map((label) => `${string(label.key)}=${string(label.str)}`).join(),
  );
  expect(lines).toEqual([
    'main3@/bin/a inner<outer@/bin/a alpha@/bin/x 30 host=a',
    '0x5000@/bin/x 40 ',
  ]);
  expect(
    profile.mapping.map((row) => [
      string(row.filename),
      string(row.buildId),
      Number(row.memoryLimit),
    ]),
  ).toEqual([
    ['/bin/x', 'abc', 0x6000],
    ['/bin/a', '', 0x1000],
  ]);
  expect([profile.period, profile.timeNanos, profile.durationNanos].map(Number)).toEqual([
    10, 1e9, 2e9,
  ]);
});

/** Paths with their totals, by walking every stack, as the definition says. */
function naiveTotals(stacks: readonly string[], values: readonly number[]): Map<string, number> {
  const totals = new Map<string, number>();
  stacks.forEach((stack, row) => {
    const frames = stack.split(';').flatMap((location) => location.split('>'));
    for (let depth = 0; depth <= frames.length; depth++) {
      if (values[row] === 0) continue;
      const path = frames.slice(0, depth).join(';');
      totals.set(path, (totals.get(path) ?? 0) + (values[row] as number));
    }
  });
  return totals;
}

function graphTotals(graph: FlameGraph): Map<string, number> {
  const { total } = deriveTree(graph.depth, graph.self, graph.folded);
  const text = stringReader(graph.strings);
  const path: string[] = [];
  const totals = new Map<string, number>();
  for (let node = 0; node < graph.nodeCount; node++) {
    const depth = graph.depth[node] as number;
    path.length = depth;
    path.push(text(graph.frames.name[graph.frame[node] as number] as number));
    totals.set(path.slice(1).join(';'), total[node] as number);
  }
  return totals;
}

const stackText = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd>e', 'f>a>b'), { minLength: 1, maxLength: 10 })
  .map((frames) => frames.join(';'));
const stackList = fc.uniqueArray(stackText, { minLength: 1, maxLength: 40 });

test('answers equal a walk over all stacks, query after query on one tree', () => {
  fc.assert(
    fc.property(
      stackList,
      fc.array(fc.infiniteStream(fc.nat(3)), { minLength: 1, maxLength: 4 }),
      (stacks, queries) => {
        const jobs = new TreeJobs(openSymbols, demangle);
        const dictionary = parseDictionaryText(stacks.join('\n'));
        for (const stream of queries) {
          const values = stacks.map(() => stream.next().value as number);
          const graph = decode(run(jobs, graphJob(values), { dictionary, symbolFiles: [] }));
          const expected = naiveTotals(stacks, values);
          if (expected.size === 0) expected.set('', 0);
          expect(graphTotals(graph)).toEqual(expected);
        }
      },
    ),
    { seed: 11, numRuns: 150 },
  );
});

test.each(['graph', 'functions', 'pprof'] as const)('%s: a job that is stopped', (kind) => {
  const jobs = new TreeJobs(openSymbols, demangle);
  const stop = new StopFlag();
  const base = graphJob([1, 1]);
  const page = { sort: 'self', names: 'full', search: '', offset: 0, limit: 1 } as const;
  const type = parseProfileType('a:b:c:d:e');
  const job = {
    graph: base,
    functions: { ...base, ...page, kind: 'functions', filters: [] },
    pprof: {
      ...base,
      kind: 'pprof',
      tree: { granularity: 'function' },
      filters: [],
      by: [],
      type,
      period: 1,
      comments: [],
    },
  }[kind] as TreeJob;
  const world = { dictionary: parseDictionaryText('a;b\na;c'), symbolFiles: [], stop: stop.word };
  stop.set(true);
  expect(() => run(jobs, job, world)).toThrow('the query was given up');
  stop.set(false);
  expect(run(jobs, job, world).body.length).toBeGreaterThan(0);
});

describe('the tree of known stacks is bounded', () => {
  const dictionary = parseDictionaryText('a;b;c\nd;e;f\ng;h;i');
  const make = (maxNodes: number) => {
    const frames = new LocationFrames(
      'function',
      new SymbolNames(openSymbols, demangle),
      dictionary,
    );
    return new StackTree(frames, dictionary, maxNodes);
  };

  test('over the limit it starts anew with what the query needs', () => {
    const stacks = make(7);
    stacks.leavesOf([Uint32Array.of(0, 1)], goOn);
    expect(stacks.tree.count).toBe(7);
    const [leaves] = stacks.leavesOf([Uint32Array.of(2)], goOn);
    expect([stacks.tree.count, leaves?.[0]]).toEqual([4, 3]);
  });

  test('a query that alone is over it is told so', () => {
    expect(() => make(6).leavesOf([Uint32Array.of(0), Uint32Array.of(1)], goOn)).toThrow(
      'too many nodes',
    );
  });
});
