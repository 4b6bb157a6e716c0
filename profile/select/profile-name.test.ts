import { expect, test } from 'vitest';
import { nameProfileTypes } from './profile-name.ts';
import { aggregationOf, formatProfileType } from './profile-type.ts';

/** `type/unit,...`, the period's type, `type=display-name~average,...` -> the types. */
function name(types: string, period: string, configs: string, label: string): string[] {
  const valueType = (text: string) => {
    const [type = '', unit = ''] = text.split('/');
    return { type, unit };
  };
  const list = (text: string) => (text === '' ? [] : text.split(','));
  return nameProfileTypes({
    sampleTypes: list(types).map(valueType),
    periodType: period === '' ? null : valueType(period),
    name: label,
    configs: new Map(
      list(configs).map((text) => {
        const [type = '', config = ''] = text.split('=');
        const [displayName = '', aggregation = ''] = config.split('~');
        return [type, { displayName, isAverage: aggregation === 'average' }];
      }),
    ),
  }).map((type) => `${formatProfileType(type)} ${aggregationOf(type)}`);
}

const CPU = 'cpu/nanoseconds';

test.each([
  [
    "Go's CPU profile",
    `samples/count,${CPU}`,
    CPU,
    '',
    '',
    [
      'process_cpu:samples:count:cpu:nanoseconds delta',
      'process_cpu:cpu:nanoseconds:cpu:nanoseconds delta',
    ],
  ],
  [
    "Node's wall profile",
    'sample/count,wall/nanoseconds',
    'wall/nanoseconds',
    '',
    '',
    ['wall:sample:count:wall:nanoseconds delta', 'wall:wall:nanoseconds:wall:nanoseconds delta'],
  ],
  [
    'wall and CPU in one',
    `${CPU},wall/nanoseconds`,
    'wall/nanoseconds',
    '',
    '',
    ['wall:cpu:nanoseconds:wall:nanoseconds delta', 'wall:wall:nanoseconds:wall:nanoseconds delta'],
  ],
  [
    "Node's heap",
    'objects/count,space/bytes',
    'space/bytes',
    '',
    '',
    ['memory:objects:count:space:bytes gauge', 'memory:space:bytes:space:bytes gauge'],
  ],
  [
    "Go's heap",
    'alloc_space/bytes,inuse_space/bytes',
    'space/bytes',
    '',
    '',
    ['memory:alloc_space:bytes:space:bytes delta', 'memory:inuse_space:bytes:space:bytes gauge'],
  ],
  [
    'goroutines',
    'goroutine/count',
    'goroutine/count',
    '',
    '',
    ['goroutines:goroutine:count:goroutine:count gauge'],
  ],
  [
    'contention, not said of what',
    'contentions/count,delay/nanoseconds',
    'contentions/count',
    '',
    '',
    [
      'contention:contentions:count:contentions:count delta',
      'contention:delay:nanoseconds:contentions:count delta',
    ],
  ],
  [
    "Pyroscope's mutexes",
    'contentions/count',
    '',
    'contentions=mutex_count',
    '',
    ['mutex:contentions:count:: delta'],
  ],
  [
    "Pyroscope's blocks",
    'delay/nanoseconds',
    '',
    'delay=block_duration',
    '',
    ['block:delay:nanoseconds:: delta'],
  ],
  [
    'an average that is not called one',
    'depth/count',
    '',
    'depth=queue~average',
    '',
    ['depth:inuse_depth:count:: gauge'],
  ],
  [
    'an average that is',
    'goroutines/count',
    '',
    'goroutines=x~average',
    '',
    ['goroutines:goroutines:count:: gauge'],
  ],
  ['anything else', 'cache-misses/count', '', '', '', ['cache-misses:cache-misses:count:: delta']],
  [
    'a label __name__',
    CPU,
    CPU,
    '',
    'parca_agent',
    ['parca_agent:cpu:nanoseconds:cpu:nanoseconds delta'],
  ],
])('%s', (_, types, period, configs, label, named) => {
  expect(name(types, period, configs, label)).toEqual(named);
});
