/** What debug information adds to the invented shop's frames: other names, lines, inlined calls. */
import { type FlameGraph, NodeFlag } from '../../profile/flame/flame-graph.ts';
import { stringReader, TextTable } from '../../profile/strings.ts';
import { buildIdOf, PRICING_ENGINE } from './web-fixture-debuginfo.ts';

interface Facts {
  systemName?: string;
  file?: string;
  line?: number;
  inlined?: boolean;
  reason?: string;
}

const FACTS: Record<string, Facts> = {
  'acme::pricing::Engine::Evaluate(acme::Cart const&) const': {
    systemName: '_ZNK4acme7pricing6Engine8EvaluateERKNS_4CartE',
    file: '/build/pricing/engine.cc',
    line: 214,
  },
  'acme::pricing::QuoteHandler::Handle(acme::Quote const&)': {
    systemName: '_ZN4acme7pricing12QuoteHandler6HandleERKNS_5QuoteE',
    file: '/build/pricing/quote_handler.cc',
    line: 88,
  },
  'std::__lower_bound<acme::Rule const*>': {
    systemName: '_ZSt13__lower_boundIPKN4acme4RuleEET_S4_S4_',
    file: '/usr/include/c++/12/bits/stl_algobase.h',
    line: 1460,
    inlined: true,
  },
  'strings.Fields': { file: 'strings/strings.go', line: 352, inlined: true },
  'encoding/json.structEncoder.encode': { file: 'encoding/json/encode.go', inlined: true },
  'libvendor.so+0x4f1a20': { reason: 'no debug information' },
  'libvendor.so+0x51003e': { reason: 'no debug information' },
};
const BUILD_ID = buildIdOf(PRICING_ENGINE);

export function addFacts(graph: FlameGraph): FlameGraph {
  const text = stringReader(graph.strings);
  const table = new TextTable();
  for (let row = 0; row < graph.strings.count; row++) table.intern(text(row));
  const { frames } = graph;
  const inlined = new Set<number>();
  for (let row = 0; row < frames.count; row++) {
    const facts = FACTS[text(frames.name[row] ?? 0)];
    if (facts === undefined) continue;
    if (facts.systemName !== undefined) frames.systemName[row] = table.intern(facts.systemName);
    if (facts.file !== undefined) frames.file[row] = table.intern(facts.file);
    if (facts.line !== undefined) frames.line[row] = facts.line;
    if (facts.reason !== undefined) frames.reason[row] = table.intern(facts.reason);
    if (facts.inlined) inlined.add(row);
    frames.buildId[row] = table.intern(BUILD_ID);
  }
  for (let node = 0; node < graph.nodeCount; node++) {
    if (inlined.has(graph.frame[node] ?? 0)) {
      graph.flags[node] = (graph.flags[node] ?? 0) | NodeFlag.inlined;
    }
  }
  const rows = Int32Array.from({ length: table.count }, (_, row) => row);
  return { ...graph, strings: table.columnsOf(rows) };
}
