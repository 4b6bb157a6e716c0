/** The matchers of a selector as chips: a click edits one, × removes it, the last button adds. */
import { useRef, useState } from 'react';
import { MAX_MATCHERS } from '../../profile/limits.ts';
import type { Matcher, MatchOp } from '../../profile/select/selector.ts';
import { type Selection, useLabelNames, useLabelValues } from '../answers.ts';
import { Combobox } from '../parts/combobox.tsx';
import { Dropdown } from '../parts/dropdown.tsx';

const OPS: readonly { op: MatchOp; title: string }[] = [
  { op: '=', title: 'is' },
  { op: '!=', title: 'is not' },
  { op: '=~', title: 'matches' },
  { op: '!~', title: 'does not match' },
];

export interface MatchersProps {
  matchers: readonly Matcher[];
  /** Index of the matcher at fault; -1 for none. */
  faulty: number;
  /** What completion looks in: the type and the time range, without the matchers. */
  selection: Selection | null;
  onChange: (matchers: Matcher[]) => void;
}

export function Matchers({ matchers, faulty, selection, onChange }: MatchersProps) {
  return (
    <div className="chips">
      {matchers.map((matcher, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: equal matchers may stand side by side.
          key={index}
          className={`chip${index === faulty ? ' bad' : ''}`}
        >
          <Dropdown
            className="bare"
            hint="Edit: "
            label={
              <>
                <i>
                  {matcher.name} {matcher.op}
                </i>
                <b>{matcher.value === '' ? '""' : matcher.value}</b>
              </>
            }
          >
            {(close) => (
              <MatcherForm
                matcher={matcher}
                selection={selection}
                action="Apply"
                onSubmit={(next) => {
                  onChange(matchers.map((old, at) => (at === index ? next : old)));
                  close();
                }}
              />
            )}
          </Dropdown>
          <button
            type="button"
            className="x"
            aria-label={`Remove ${matcher.name}`}
            onClick={() => onChange(matchers.filter((_, at) => at !== index))}
          >
            ×
          </button>
        </span>
      ))}
      {matchers.length >= MAX_MATCHERS ? null : (
        <Dropdown className="plain" label="Add label">
          {(close) => (
            <MatcherForm
              matcher={{ name: '', op: '=', value: '' }}
              selection={selection}
              action="Add"
              onSubmit={(next) => {
                onChange([...matchers, next]);
                close();
              }}
            />
          )}
        </Dropdown>
      )}
    </div>
  );
}

interface MatcherFormProps {
  matcher: Matcher;
  selection: Selection | null;
  action: string;
  onSubmit: (matcher: Matcher) => void;
}

function MatcherForm({ matcher, selection, action, onSubmit }: MatcherFormProps) {
  const [draft, setDraft] = useState(matcher);
  const names = useLabelNames(selection);
  const plain = draft.op === '=' || draft.op === '!=';
  const values = useLabelValues(selection, draft.name, plain ? draft.value : '');
  const omitted = values.data?.omitted ?? 0;
  const known = names.data?.values ?? [];
  const wanted = draft.name.toLowerCase();
  const form = useRef<HTMLFormElement>(null);
  /** Enter takes a name that is known, or the first that begins so, and goes on to its value. */
  const takeName = (text: string) => {
    const name = known.includes(text) ? text : (known.find((n) => n.startsWith(text)) ?? text);
    setDraft((now) => ({ ...now, name }));
    if (name !== '') form.current?.querySelectorAll('input')[1]?.focus();
  };
  const submit = (value = draft.value) => {
    if (draft.name !== '') onSubmit({ ...draft, value });
  };
  return (
    <form
      className="matcher"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Combobox
        label="Label name"
        value={draft.name}
        options={known.filter((name) => name !== draft.name && name.includes(wanted))}
        onChange={(name) => setDraft((now) => ({ ...now, name: name.trim() }))}
        onCommit={takeName}
      />
      <label className="field">
        <span className="sr">Comparison</span>
        <select
          value={draft.op}
          onChange={(event) => {
            const op = OPS.find((entry) => entry.op === event.target.value)?.op ?? '=';
            setDraft((now) => ({ ...now, op }));
          }}
        >
          {OPS.map(({ op, title }) => (
            <option key={op} value={op}>
              {op} {title}
            </option>
          ))}
        </select>
      </label>
      <Combobox
        label={plain ? 'Value' : 'Regular expression'}
        value={draft.value}
        options={(values.data?.values ?? []).filter((value) => value !== draft.value)}
        {...(omitted > 0 ? { note: `and ${omitted} more` } : {})}
        onChange={(value) => setDraft((now) => ({ ...now, value }))}
        onCommit={submit}
      />
      <button type="submit" className="btn main" disabled={draft.name === ''}>
        {action}
      </button>
    </form>
  );
}
