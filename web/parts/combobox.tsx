/** A text field with suggestions below it. Any text may be entered; suggestions only help. */
import { type KeyboardEvent, useId, useState } from 'react';

export interface ComboboxProps {
  label: string;
  value: string;
  options: readonly string[];
  /** Stands under the options: "and 40 more". */
  note?: string;
  placeholder?: string;
  onChange: (value: string) => void;
  /** An option was taken or Enter pressed. */
  onCommit: (value: string) => void;
}

export function Combobox(props: ComboboxProps) {
  const { label, value, options, note, placeholder, onChange, onCommit } = props;
  const [active, setActive] = useState(-1);
  const [open, setOpen] = useState(false);
  const id = useId();
  const take = (option: string) => {
    setOpen(false);
    setActive(-1);
    onChange(option);
    onCommit(option);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && options.length > 0) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(true);
      setActive((now) => (now + step + options.length) % options.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      take((open ? options[active] : undefined) ?? value);
    }
  };
  return (
    <div className="combobox">
      <label className="field">
        <span className="sr">{label}</span>
        <input
          role="combobox"
          aria-expanded={open && options.length > 0}
          aria-controls={`${id}-list`}
          aria-activedescendant={open && active >= 0 ? `${id}-${active}` : undefined}
          aria-autocomplete="list"
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder ?? label}
          value={value}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
          onChange={(event) => {
            setOpen(true);
            setActive(-1);
            onChange(event.target.value);
          }}
        />
      </label>
      {open && options.length > 0 ? (
        <div className="options" role="listbox" id={`${id}-list`} aria-label={label}>
          {options.map((option, index) => (
            <div
              key={option}
              id={`${id}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              // Before the field loses focus, so that the list is still there.
              onPointerDown={(event) => {
                event.preventDefault();
                take(option);
              }}
            >
              {option}
            </div>
          ))}
          {note === undefined ? null : <div className="small quiet note">{note}</div>}
        </div>
      ) : null}
    </div>
  );
}
