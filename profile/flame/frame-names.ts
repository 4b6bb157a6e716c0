/** Names as drawn: shortened by what their language repeats, then cut to the place there is. */

const OPERATOR = /operator *(<=>|<<=|>>=|->\*|<<|>>|<=|>=|->|\(\)|<|>)/g;
/** Private characters stand in for brackets that belong to an operator's name. */
const KEPT: Record<string, string> = { '<': '\ue002', '>': '\ue003', '(': '\ue004', ')': '\ue005' };
const UNKEPT = new Map(Object.entries(KEPT).map(([plain, kept]) => [kept, plain]));
const V8_NAME =
  /^(?:LazyCompile|Function|Script|Eval|JS|RegExp|Handler|Stub|Builtin|BytecodeHandler|Bytecode):[*~^+'-]?/;

function shortenJavaScript(name: string): string {
  const rest = name.replace(V8_NAME, '').trimStart();
  const space = rest.search(/ (?:file:|node:|[/\\]|[A-Z]:)/);
  if (space > 0) return rest.slice(0, space);
  const at = /(?:^|[/\\])([^/\\]+?:\d+)(?::\d+)?$/.exec(rest);
  return at?.[1] ? `(anonymous) ${at[1]}` : rest;
}

/** Arguments of templates and generics become one private character. */
function collapseArguments(name: string): string {
  let text = name;
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/<[^<>]*>/g, '\ue001');
  }
  return text;
}

/** `<a::b::Type<T> as c::Trait>::method`: the type and the trait lose their modules. */
function shortenRustMethod(name: string): string {
  const text = name.replaceAll('->', '\ue006');
  let depth = 0;
  let end = 0;
  for (; end < text.length; end++) {
    if (text[end] === '<') depth++;
    else if (text[end] === '>' && --depth === 0) break;
  }
  const subject = collapseArguments(text.slice(1, end)).replace(/(?:\w+::)+(?=\w)/g, '');
  const shown = /^\w+\ue001?$/.test(subject) ? subject : `<${subject}>`;
  return (shown + collapseArguments(text.slice(end + 1)))
    .replace(/::h[0-9a-f]{16}$/, '')
    .replaceAll('\ue001', '<…>')
    .replaceAll('\ue006', '->');
}

function shortenCpp(name: string): string {
  let text = name.replace(OPERATOR, (op) => op.replace(/[<>()]/g, (c) => KEPT[c] ?? c));
  text = collapseArguments(text);
  text = text.replace(/\(anonymous namespace\)::/g, '').replace(/\{lambda\([^()]*\)/g, '{lambda');
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/\([^()]*\)(?: const)?(?: &{1,2})?(?: \[clone [^\]]*\])*$/, '');
  }
  // A return type stands before a templated function's name, separated by a space.
  if (!/operator| (?:for|to) /.test(text))
    text = text.replace(/^(?:[\w:*&\ue001]+ )+(?=[\w:~]+)/, '');
  return text
    .replace(/::h[0-9a-f]{16}$/, '')
    .replace(/\ue001/g, '<…>')
    .replace(/[\ue002-\ue005]/g, (c) => UNKEPT.get(c) ?? c);
}

/** What Go's compiler says of the shapes of type arguments, which may hold brackets themselves. */
function collapseShapes(name: string): string {
  let text = name;
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/\[[^[\]]*\]/g, '\ue001');
  }
  return text.replaceAll('\ue001', '[…]');
}

/**
 * The part of a name that tells functions apart: Go without its import path, C++ and Rust without
 * arguments and template arguments, JavaScript without its file. The whole name is always at hand.
 */
export function shortenName(name: string): string {
  if (V8_NAME.test(name) || / (?:file:\/\/|node:|\/)\S*$/.test(name))
    return shortenJavaScript(name);
  if (/^<.*>::/.test(name)) return shortenRustMethod(name);
  if (name.includes('::') || /^[\w:~]+(?:<.*>)?\(.*\)(?: const)?(?: \[clone .*\])?$/.test(name)) {
    return shortenCpp(name);
  }
  const go = name.includes('[go.shape.') ? collapseShapes(name) : name;
  if (/^[\w.~%-]+(?:\/[\w.~%-]+)+[.(]/.test(go)) {
    return go.replace(/\/v\d+(?=\.)/, '').replace(/^(?:[\w.~%-]+\/)+/, '');
  }
  return go;
}

/**
 * Cuts a name to `max` characters. Leading parts (package, namespace, receiver) go first; where
 * that would leave too little the end is kept, or, of a single word, the beginning.
 */
export function fitName(name: string, max: number): string {
  if (name.length <= max) return name;
  if (max < 3) return '';
  // A bracketed name says what is missing, and says it from its beginning.
  if (name.startsWith('[')) return `${name.slice(0, max - 1)}…`;
  let tail = name;
  do tail = tail.replace(/^[^.:]*[.:]+/, '');
  while (/[.:]/.test(tail) && tail.length + 1 > max);
  const fits = tail !== '' && tail !== name && tail.length + 1 <= max;
  if (fits && tail.length + 1 > max * 0.5 && !/^(?:func\d|<…>$)/.test(tail)) return `…${tail}`;
  const dotted = max > 12 && /[.:]/.test(name.slice(1, -1));
  return dotted ? `…${name.slice(name.length - max + 1)}` : `${name.slice(0, max - 1)}…`;
}

/** Characters of a name that are looked at: shortening takes time that grows with their square. */
const MAX_SHORTENED = 1_000;

/** A name, shortened and then cut to `max` characters, whoever wrote it. */
export function labelOf(name: string, max: number): string {
  return max < 3 ? '' : fitName(shortenName(name.slice(0, MAX_SHORTENED)), max);
}

/**
 * Cuts a whole name to `max` characters: qualifiers before the function go first, then the end of
 * its arguments. A mangled name is read from its beginning.
 */
export function fitFullName(name: string, max: number): string {
  if (name.length <= max) return name;
  if (max < 3) return '';
  let rest = name;
  if (!/^(?:_+[RZ]|[<[(])/.test(name)) {
    while (rest.length + 1 > max) {
      const stop = rest.search(/[<(]/);
      const lead = /^[^.:/<( ]+(?:::|[.:/])(?=.)/.exec(stop < 0 ? rest : rest.slice(0, stop + 1));
      if (lead === null) break;
      rest = rest.slice(lead[0].length);
    }
  }
  const text = rest === name ? name : `…${rest}`;
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

/** The package, namespace or module a function belongs to; empty where its name has none. */
export function packageOf(name: string): string {
  const found =
    /^(?:[\w.~%-]+\/)*[\w-]+(?=\.)/.exec(name) ??
    /(?<=^<?[&*([]*(?:dyn |mut |const )?)\w+(?=::)/.exec(name) ??
    /node_modules\/(?:@[\w.-]+\/)?[\w.-]+/.exec(name) ??
    (name.includes('::') ? /^\w+(?=::)/.exec(shortenName(name)) : null);
  return found?.[0] ?? '';
}
