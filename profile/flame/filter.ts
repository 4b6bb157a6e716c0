/**
 * Filters as they stand in URLs: `ACTION:FIELD OP VALUE`, e.g. `hide:function~^runtime\.`. What they
 * mean is in docs/query.md; profile/flame/stack-filters.ts does it.
 */
import { EverflameError } from '../errors.ts';
import { MAX_FILTER_LENGTH, MAX_FILTERS } from '../limits.ts';
import { isLabelName } from '../select/labels.ts';
import { nearestName } from '../select/nearest.ts';
import { compileRegex } from '../select/regex.ts';
import type { Matcher, MatchOp } from '../select/selector.ts';

const FILTER_ACTIONS = ['show', 'hide', 'hide-frames', 'show-from', 'pivot', 'collapse'] as const;
export type FilterAction = (typeof FILTER_ACTIONS)[number];
const FRAME_FIELDS = ['function', 'file', 'binary'] as const;
export type FrameField = (typeof FRAME_FIELDS)[number];
/** `~` looks for a regular expression (RE2, unanchored), `=` compares the whole value. */
export type FilterOp = '=' | '!=' | '~' | '!~';

/** A condition on one frame. */
export interface FrameCondition {
  field: FrameField;
  op: FilterOp;
  value: string;
}

/** What becomes of stacks whose frames match a condition. */
export interface FrameFilter extends FrameCondition {
  action: FilterAction;
}

/** A condition on the labels of the series and the sample. */
export interface LabelFilter {
  action: 'show' | 'hide';
  field: 'label';
  label: string;
  op: FilterOp;
  value: string;
}

export type Filter = FrameFilter | LabelFilter;

const LABEL_PREFIX = 'label.';
const NEGATED: Record<FilterOp, FilterOp> = { '=': '!=', '!=': '=', '~': '!~', '!~': '~' };

/** Parses and checks all, expressions included. Errors name the parameter `filter`. */
export function parseFilters(texts: readonly string[]): Filter[] {
  if (texts.length > MAX_FILTERS) {
    throw new EverflameError('too-large', `there are ${texts.length} filters`, {
      field: 'filter',
      limit: `MAX_FILTERS = ${MAX_FILTERS}`,
    });
  }
  return texts.map(parseFilter);
}

export function parseFilter(text: string): Filter {
  if (text.length > MAX_FILTER_LENGTH) {
    throw new EverflameError('too-large', `a filter has ${text.length} characters`, {
      field: 'filter',
      limit: `MAX_FILTER_LENGTH = ${MAX_FILTER_LENGTH}`,
    });
  }
  const parts = /^([^:]*):([^=~!]*)(!=|!~|=|~)(.*)$/s.exec(text);
  if (parts === null) throw fault(text, text.indexOf(':') + 1, 'is not a filter');
  const [, actionText = '', fieldText = '', opText = '', value = ''] = parts;
  const action = FILTER_ACTIONS.find((known) => known === actionText);
  if (action === undefined) {
    const near = nearestName(actionText, FILTER_ACTIONS);
    const hint = near === null ? '' : ` (did you mean ${near}?)`;
    throw fault(text, 0, `has no action of the known ones${hint}`);
  }
  const fieldAt = actionText.length + 1;
  const valueAt = fieldAt + fieldText.length + opText.length;
  const op = opText as FilterOp;
  if (op === '~' || op === '!~') {
    if (value === '') throw fault(text, valueAt, 'has an empty expression');
    // That of a label becomes a longer one, which must be within the limits, too.
    compileRegex(value, 'filter', valueAt);
    if (fieldText.startsWith(LABEL_PREFIX)) compileRegex(anywhere(value), 'filter', valueAt);
  }
  if (fieldText.startsWith(LABEL_PREFIX)) {
    const label = fieldText.slice(LABEL_PREFIX.length);
    if (!isLabelName(label)) throw fault(text, fieldAt, 'names no label');
    if (action !== 'show' && action !== 'hide') {
      throw fault(text, 0, 'is on a label, of which there are show and hide only');
    }
    return { action, field: 'label', label, op, value };
  }
  const field = FRAME_FIELDS.find((known) => known === fieldText);
  if (field === undefined) throw fault(text, fieldAt, 'is on no known field');
  return { action, field, op, value };
}

function fault(text: string, position: number, problem: string): EverflameError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
  return new EverflameError('invalid', `${shown} ${problem}`, {
    field: 'filter',
    position,
    remedy:
      `Write ACTION:FIELD~EXPRESSION or ACTION:FIELD=VALUE; actions: ${FILTER_ACTIONS.join(', ')}; ` +
      `fields: ${FRAME_FIELDS.join(', ')}, label.NAME.`,
  });
}

/** The text that `parseFilter` reads as this filter. */
export function formatFilter(filter: Filter): string {
  const field = filter.field === 'label' ? `${LABEL_PREFIX}${filter.label}` : filter.field;
  return `${filter.action}:${field}${filter.op}${filter.value}`;
}

/** Filters on labels as matchers of the selection, and those on frames in their order. */
export function splitFilters(filters: readonly Filter[]): {
  matchers: Matcher[];
  frameFilters: FrameFilter[];
} {
  const matchers: Matcher[] = [];
  const frameFilters: FrameFilter[] = [];
  for (const filter of filters) {
    if (filter.field === 'label') matchers.push(matcherOf(filter));
    else frameFilters.push(filter);
  }
  return { matchers, frameFilters };
}

function matcherOf({ action, label, op, value }: LabelFilter): Matcher {
  const wanted = action === 'show' ? op : NEGATED[op];
  if (wanted === '=' || wanted === '!=') return { name: label, op: wanted, value };
  const matchOp: MatchOp = wanted === '~' ? '=~' : '!~';
  return { name: label, op: matchOp, value: anywhere(value) };
}

/** The expression as an anchored matcher has it, with whatever text around it. */
function anywhere(expression: string): string {
  return `(?s:.*)(?:${expression})(?s:.*)`;
}
