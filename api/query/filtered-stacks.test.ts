/** Filters and the sandwich as a tree worker answers them. */
import fc from 'fast-check';
import { Profile } from 'pprof-format';
import { describe, expect, test } from 'vitest';
import { fromErrorRecord } from '../../profile/errors.ts';
import { decodeFg1 } from '../../profile/flame/fg1.ts';
import { type FrameCondition, parseFilters, splitFilters } from '../../profile/flame/filter.ts';
import type { FilterStep } from '../../profile/flame/stack-filters.ts';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import { formatGraphText, textMeta } from '../../profile/text.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import type { FunctionsJson, MergeJson, SandwichJson } from '../../wire/http.ts';
import type { Answer } from './params.ts';
import { TreeJobs } from './tree-jobs.ts';
import type { GraphJob, PprofJob, SandwichJob, StackWeights, TreeJob } from './tree-messages.ts';

const noSymbols = () => {
  throw new Error('there are no symbol files');
};

/** Lines of `stack value`, as test/dictionary-text.ts draws stacks. */
function read(text: string): { stacks: string; values: number[] } {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const stacks = lines.map((line) => line.slice(0, line.lastIndexOf(' '))).join('\n');
  return { stacks, values: lines.map((line) => Number(line.slice(line.lastIndexOf(' ') + 1))) };
}

function weigh(values: readonly number[], more: Partial<StackWeights> = {}): StackWeights {
  return {
    groups: [{}],
    group: new Uint32Array(values.length),
    stack: Uint32Array.from(values.keys()),
    value: Float64Array.from(values),
    multiplier: 1,
    ...more,
  };
}

function steps(filters: readonly string[]): FilterStep[] {
  const { frameFilters } = splitFilters(parseFilters(filters));
  return frameFilters.map((filter) => ({ action: filter.action, where: [filter] }));
}

function run(stacks: string, job: TreeJob): Answer {
  const jobs = new TreeJobs(noSymbols, (name) => name.replace(/^_Z/, ''));
  const dictionary = parseDictionaryText(stacks);
  const reply = jobs.reply({ id: 1, job, dictionary, symbolFiles: [] });
  if ('error' in reply) throw fromErrorRecord(reply.error);
  return reply.answer;
}

function graphJob(values: readonly number[], more: Partial<GraphJob> = {}): GraphJob {
  return {
    kind: 'graph',
    tree: { granularity: 'function' },
    filters: [],
    format: 'fg1',
    by: [],
    weights: weigh(values),
    base: null,
    mode: 'absolute',
    meta: textMeta(0),
    ...more,
  };
}

function graphOf(text: string, filters: readonly string[], more: Partial<GraphJob> = {}) {
  const { stacks, values } = read(text);
  const answer = run(stacks, graphJob(values, { filters: steps(filters), ...more }));
  return decodeFg1(answer.body as Uint8Array);
}

const draw = (text: string, filters: readonly string[], more: Partial<GraphJob> = {}): string =>
  formatGraphText(graphOf(text, filters, more));

describe('filters of a merge', () => {
  const TEXT = `
    main@app;read(io.c):1@libc.so 1
    main@app;read(net.c):2@libc.so 2
    main@app;work(a.c):3>copy(io.c):4@app 4
    idle@[kernel]{kernel} 8`;

  test.each([
    [
      'hide:function=idle',
      'total 0/7\n  main@app 0/7\n    read@libc.so 3/3\n    work@app 0/4\n      ~copy@app 4/4\n',
    ],
    // Frames of one node may lie in several files: those of io.c alone.
    [
      'hide:file=net.c',
      'total 0/13\n  idle@[kernel] 8/8\n  main@app 0/5\n    read@libc.so 1/1\n    work@app 0/4\n      ~copy@app 4/4\n',
    ],
    [
      'hide-frames:file=io.c',
      'total 0/15\n  idle@[kernel] 8/8\n  main@app 1/7\n    read@libc.so 2/2\n    work@app 4/4\n',
    ],
    ['show-from:function=copy', 'total 0/4\n  copy@app 4/4\n'],
    ['pivot:function=copy', 'total 0/4\n  copy@app 0/4\n    work@app 0/4\n      main@app 4/4\n'],
    [
      'hide-frames:function=main',
      'total 0/15\n  idle@[kernel] 8/8\n  read@libc.so 3/3\n  work@app 0/4\n    ~copy@app 4/4\n',
    ],
    ['hide-frames:function~.', 'total 15/15\n'],
    ['show:function=nothing', 'total 0/0\n'],
  ])('%s', (filter, drawing) => {
    expect(draw(TEXT, [filter])).toBe(drawing);
  });

  test('line by line, the same stacks are kept', () => {
    const more = { tree: { granularity: 'line' } } as const;
    expect(draw(TEXT, ['show:function=main', 'hide-frames:file=net.c'], more)).toBe(`total 0/7
  main@app 2/7
    read@libc.so 1/1
    work@app 0/4
      ~copy@app 4/4
`);
  });

  test('totals before and after, in units', () => {
    const weights = weigh([1, 2], { multiplier: 10 });
    const answer = run(
      'a\nb',
      graphJob([], { weights, filters: steps(['hide:function=b']), format: 'json' }),
    );
    const { total, total_before_filters } = JSON.parse(answer.body as string) as MergeJson;
    expect([total, total_before_filters]).toEqual([10, 30]);
  });

  test('groups keep their levels, and those of which nothing is left are gone', () => {
    const weights = weigh([1, 2, 4], {
      groups: [{ host: 'x' }, { host: 'y' }],
      group: Uint32Array.of(0, 0, 1),
    });
    expect(draw('a;b 0\nc 0\nc;d 0', ['show:function=a'], { weights, by: ['host'] })).toBe(
      'total 0/1\n  x 0/1\n    a 0/1\n      b 1/1\n',
    );
  });

  test.each([
    ['folded', /^x;b 1$/m],
    ['speedscope', /"name":"x"\},\{"name":"b"\}/],
    ['svg', /<title>x: 1, 100.0 %; own 0<.*<title>b: 1, /s],
    ['dot', /n0 -> n1 /],
  ] as const)('groups are the outermost frames of %s too', (format, drawn) => {
    const weights = weigh([1, 2], {
      groups: [{ host: 'x' }, { host: 'y' }],
      group: Uint32Array.of(0, 1),
    });
    const filters = steps(['show-from:function=b']);
    const answer = run('a;b\nc', graphJob([], { weights, by: ['host'], filters, format }));
    expect(answer.body).toMatch(drawn);
  });

  test('a root is looked for in what the filters left', () => {
    const tree = { granularity: 'function', root: ['b'] } as const;
    expect(draw('a;b;c 1\na;d 2', ['show-from:function=b'], { tree })).toBe(
      'total 0/1\n  b 0/1\n    c 1/1\n',
    );
  });

  test('unnamed frames of one address in two builds stay apart', () => {
    expect(draw('0x10@/bin/x#aa 1\n0x10@/bin/x#bb 2', ['hide:function=none'])).toBe(
      'total 0/3\n  x+0x10@x 1/1\n  x+0x10@x 2/2\n',
    );
  });

  test('both sides of a diff', () => {
    const more = { base: weigh([1, 2, 4]), meta: textMeta(0, 0) };
    const graph = graphOf('a;b 10\na;c 20\nd 40', ['hide:function=b'], more);
    expect(formatGraphText(graph)).toBe(`total 0/6 -> 0/60
  a 0/2 -> 0/20
    c 2/2 -> 20/20
  d 4/4 -> 40/40
`);
    const { meta } = graph;
    expect([meta.totalBeforeFilters, meta.totalAfterFilters]).toEqual([70, 60]);
    expect([meta.base?.totalBeforeFilters, meta.base?.total]).toEqual([7, 6]);
  });

  test.each([
    ['share', [1, 5]],
    ['absolute', [10, 50]],
    ['rate', [10, 50]],
  ] as const)('totals of a diff by %s', (mode, totals) => {
    const weights = weigh([1, 4], { multiplier: 10 });
    const more = { weights, base: weigh([1, 0]), meta: textMeta(0, 0), mode };
    const filters = steps(['show:function=a']);
    const answer = run('a\nb', graphJob([], { ...more, filters, format: 'json' }));
    const json = JSON.parse(answer.body as string) as MergeJson;
    expect([json.total, json.total_before_filters]).toEqual(totals);
    expect([json.base?.total, json.base?.total_before_filters]).toEqual([1, 1]);
  });

  test('functions', () => {
    const job = {
      kind: 'functions',
      weights: weigh([1, 2]),
      filters: steps(['hide:function=c']),
      sort: 'total',
      names: 'full',
      search: '',
      offset: 0,
      limit: 9,
      meta: textMeta(0),
    } as const;
    const answer = JSON.parse(run('a;b\na;c', job).body as string) as FunctionsJson;
    expect(answer.functions.map(({ name, self, total }) => `${name} ${self}/${total}`)).toEqual([
      'b 1/1',
      'a 0/1',
    ]);
    expect([answer.total, answer.total_before_filters]).toEqual([1, 3]);
  });
});

describe('a pprof of what is left', () => {
  const lines = (text: string, more: Partial<PprofJob>): string[] => {
    const { stacks, values } = read(text);
    const job: PprofJob = {
      kind: 'pprof',
      tree: { granularity: 'function' },
      filters: [],
      by: [],
      weights: weigh(values),
      type: parseProfileType('process_cpu:cpu:nanoseconds:cpu:nanoseconds'),
      period: 10,
      comments: [],
      meta: textMeta(0),
      ...more,
    };
    const profile = Profile.decode(run(stacks, job).body as Uint8Array);
    const text1 = (index: number | bigint) => profile.stringTable.strings[Number(index)] ?? '';
    return profile.sample.map((sample) => {
      const stack = sample.locationId.map((id) => {
        const location = profile.location[Number(id) - 1];
        const names = location?.line.map(({ functionId, line }) => {
          const row = profile.function[Number(functionId) - 1];
          return `${text1(row?.name ?? 0)}:${line}`;
        });
        return names?.join('<') || `0x${location?.address.toString(16)}`;
      });
      const labels = sample.label.map(({ key, str }) => ` ${text1(key)}=${text1(str)}`).join('');
      return `${stack.join(' ')} ${sample.value.join()}${labels}`;
    });
  };

  test('lines, inlined calls and addresses stay', () => {
    const text = 'main:1;f:2>g:3 4\nmain:9;f:5>g:6 2\n0x10@/bin/x#aa;main:1 1\nidle 8';
    expect(lines(text, { filters: steps(['hide:function=idle']) }).sort()).toEqual([
      'g:3<f:2 main:1 4',
      'g:6<f:5 main:9 2',
      'main:1 0x10 1',
    ]);
  });

  test('max_nodes says what it leaves out', () => {
    const tree = { granularity: 'function', maxNodes: 3 } as const;
    expect(lines('a;b 8\na;c 4\nd 1', { tree }).sort()).toEqual([
      '[truncated]:0 1',
      '[truncated]:0 a:0 4',
      'b:0 a:0 8',
    ]);
  });

  test('labels grouped by are those of the samples', () => {
    const weights = weigh([1, 2], {
      groups: [{ host: 'x=1' }, {}],
      group: Uint32Array.of(0, 1),
    });
    const filters = steps(['show:function~.']);
    expect(lines('a 0\na 0', { weights, by: ['host'], filters })).toEqual([
      'a:0 1 host=x=1',
      'a:0 2',
    ]);
  });
});

describe('sandwich', () => {
  function sandwich(text: string, where: FrameCondition[], more: Partial<SandwichJob> = {}) {
    const { stacks, values } = read(text);
    const job: SandwichJob = {
      kind: 'sandwich',
      tree: { granularity: 'function' },
      filters: [],
      where,
      format: 'fg1',
      weights: weigh(values),
      meta: textMeta(0),
      ...more,
    };
    const body = run(stacks, job).body as Uint8Array;
    const length = new DataView(body.buffer, body.byteOffset).getUint32(56, true);
    const graphs = [decodeFg1(body.slice(0, length)), decodeFg1(body.slice(length))];
    const { body: text1 } = run(stacks, { ...job, format: 'json' });
    const json = JSON.parse(text1 as string) as SandwichJson;
    return { drawings: graphs.map(formatGraphText), graphs, json };
  }
  const named = (value: string): FrameCondition => ({ field: 'function', op: '=', value });

  test('a recursive function counts once a stack, by its first call', () => {
    const text = 'a;f;g;f;h 1\nb;f 2\na;h 4';
    const { drawings, json } = sandwich(text, [named('f')]);
    expect(drawings[0]).toBe('total 0/3\n  f 0/3\n    a 1/1\n    b 2/2\n');
    expect(drawings[1]).toBe(`total 0/3
  f 2/3
    g 0/1
      f 0/1
        h 1/1
`);
    expect([json.function, json.total, json.total_before_filters]).toEqual([
      { self: 2, total: 3 },
      7,
      7,
    ]);
  });

  test('own weight of inner calls is own weight', () => {
    expect(sandwich('f;g;f 1\nf 2', [named('f')]).json.function).toEqual({ self: 3, total: 3 });
    // Another function of that name, which is nowhere the first.
    expect(sandwich('f@lib;f 1', [named('f')]).json.function).toEqual({ self: 1, total: 1 });
  });

  test('in one binary, one file only; after filters', () => {
    const text = 'a;f@x 1\na;f(q.c)@y 2\nb;f(p.c)@y 4\nb;c 8';
    const where = [named('f'), { field: 'binary', op: '=', value: 'y' } as const];
    expect(sandwich(text, where).drawings[0]).toBe('total 0/6\n  f@y 0/6\n    a 2/2\n    b 4/4\n');
    const file = { field: 'file', op: '=', value: 'p.c' } as const;
    const filters = steps(['hide:function=a']);
    const { json, drawings } = sandwich(text, [...where, file], { filters });
    expect(drawings[0]).toBe('total 0/4\n  f@y 0/4\n    b 4/4\n');
    expect([json.total, json.total_before_filters, json.function.total]).toEqual([12, 15, 4]);
  });

  test('each graph states what it leaves out', () => {
    const tree = { granularity: 'function', maxNodes: 3 } as const;
    const { graphs, json } = sandwich('a;f;x 1\na;f;y 2\nb;f;y 4', [named('f')], { tree });
    expect(graphs.map(({ meta }) => meta.quality.series.truncated)).toEqual([3, 1]);
    expect(json.callers.nodes.folded).toEqual([0, 3, 0]);
  });

  test('a function that is not there', () => {
    const { drawings, json } = sandwich('a 1', [named('f')]);
    expect(drawings).toEqual(['total 0/0\n', 'total 0/0\n']);
    expect(json.function).toEqual({ self: 0, total: 0 });
  });
});

const stackText = fc
  .array(fc.constantFrom('a(x.c)', 'a(y.c)', 'b', 'c@k', 'd>e', 'f>a>b'), { maxLength: 8 })
  .map((frames) => (frames.length === 0 ? '-' : frames.join(';')));
const profile = fc.uniqueArray(stackText, { minLength: 1, maxLength: 20 });
const condition = fc
  .tuple(
    fc.constantFrom('show', 'hide', 'hide-frames', 'show-from', 'pivot', 'collapse'),
    fc.constantFrom('function=a', 'function~[bd]', 'file!=', 'file=y.c', 'binary=k', 'function!~e'),
  )
  .map((parts) => parts.join(':'));

test('what filters keep and what they drop is the whole, whatever the granularity', () => {
  fc.assert(
    fc.property(
      profile,
      fc.array(condition, { maxLength: 3 }),
      fc.constantFrom('function', 'file', 'line', 'address'),
      (stacks, filters, granularity) => {
        const text = stacks.map((stack, at) => `${stack} ${2 ** at}`).join('\n');
        const more = { tree: { granularity } } as const;
        const kept = (last: string[]) => {
          const { meta, ...graph } = graphOf(text, [...filters, ...last], more);
          const sum = graph.self.reduce((total, value) => total + value, 0);
          expect(sum).toBe(meta.totalAfterFilters);
          expect(meta.totalBeforeFilters).toBe(2 ** stacks.length - 1);
          return meta.totalAfterFilters;
        };
        expect(kept(['show:function=a']) + kept(['hide:function=a'])).toBe(kept([]));
        // Values are powers of two: the same stacks are kept at every granularity.
        expect(kept([])).toBe(graphOf(text, filters).meta.totalAfterFilters);
      },
    ),
    { seed: 17, numRuns: 150 },
  );
});

test('a filter that changes nothing gives the tree without it', () => {
  fc.assert(
    fc.property(profile, (stacks) => {
      const text = stacks.map((stack, at) => `${stack} ${at + 1}`).join('\n');
      expect(draw(text, ['hide:function=none'])).toBe(draw(text, []));
    }),
    { seed: 18 },
  );
});
