/** Labelled controls of filters and dialogs. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface FieldProps {
  label: string;
  /** What is expected, below the control. */
  hint?: ComponentChildren;
  fault?: string | undefined;
}

interface TextFieldProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  type?: "text" | "search" | "number";
  isRequired?: boolean;
  suggestions?: readonly string[];
  isMono?: boolean;
}

export function TextField(props: TextFieldProps) {
  const { label, hint, fault, value, onChange, placeholder, type = "text", isRequired } = props;
  const id = useId();
  const { suggestions = [], isMono = false } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type={type}
        value={value}
        class={isMono ? "mono" : undefined}
        placeholder={placeholder}
        required={isRequired}
        maxLength={256}
        autocomplete="off"
        spellcheck={false}
        list={suggestions.length > 0 ? `${id}-list` : undefined}
        aria-describedby={hint !== undefined || fault !== undefined ? `${id}-hint` : undefined}
        aria-invalid={fault !== undefined}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      {suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {suggestions.map((suggestion) => (
            <option value={suggestion} />
          ))}
        </datalist>
      )}
      {(hint !== undefined || fault !== undefined) && (
        <p class={fault === undefined ? "hint" : "hint fault"} id={`${id}-hint`}>
          {fault ?? hint}
        </p>
      )}
    </div>
  );
}

export interface Choice {
  value: string;
  label: string;
}

interface SelectFieldProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  choices: readonly Choice[];
}

export function SelectField({ label, hint, value, onChange, choices }: SelectFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        {choices.map((choice) => (
          <option value={choice.value} selected={choice.value === value}>
            {choice.label}
          </option>
        ))}
      </select>
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  );
}

interface ChoiceRowProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  choices: readonly Choice[];
}

/** A few choices beside each other, of which one is in use. */
export function ChoiceRow({ label, value, onChange, choices }: ChoiceRowProps) {
  return (
    <div class="choices" role="group" aria-label={label}>
      {choices.map((choice) => (
        <button
          type="button"
          aria-pressed={choice.value === value}
          onClick={() => onChange(choice.value)}
        >
          {choice.label}
        </button>
      ))}
    </div>
  );
}

export function CheckField(props: {
  label: string;
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.isChecked}
        onChange={({ currentTarget }) => props.onChange(currentTarget.checked)}
      />
      {props.label}
    </label>
  );
}

interface FilterFieldProps {
  label: string;
  value: string;
  placeholder?: string;
  onChange: (value: string) => void;
}

const PAUSE_MS = 300;

/** A text by which a list is filtered: used when somebody stops to type. */
export function FilterField({ label, value, placeholder, onChange }: FilterFieldProps) {
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // Another filter may have changed during the pause, and must stay.
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => setTyped(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <TextField
      label={label}
      type="search"
      value={typed}
      {...(placeholder !== undefined && { placeholder })}
      onChange={(next) => {
        setTyped(next);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => latest.current(next.trim()), PAUSE_MS);
      }}
    />
  );
}
