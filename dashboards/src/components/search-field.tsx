import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { type Ref, useEffect, useState } from "react";
import { Icon } from "./icons";

const ASK_AFTER_MS = 200;

interface SearchFieldProps {
  ref?: Ref<HTMLInputElement>;
  label: string;
  /** Whether everybody sees the label, or only screen readers hear it. */
  isLabelVisible?: boolean;
  placeholder?: string;
  className?: string;
  value: string | undefined;
  /** Called a moment after the last key, or as soon as the field is left; with undefined for nothing. */
  onChange: (text: string | undefined) => void;
}

/** A search by name or id; it follows the address when that changes by itself (back, forward). */
export function SearchField({
  ref,
  label,
  isLabelVisible = false,
  placeholder = "Search by name or id",
  className,
  value = "",
  onChange,
}: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [isFocused, setFocused] = useState(false);
  const ask = useDebouncedCallback(onChange, ASK_AFTER_MS);
  useEffect(() => {
    if (!isFocused) setText(value);
  }, [value, isFocused]);
  return (
    <TextInput
      ref={ref}
      className={className}
      type="search"
      label={isLabelVisible && label}
      aria-label={isLabelVisible ? undefined : label}
      placeholder={placeholder}
      leftSection={<Icon name="search" />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        ask(event.currentTarget.value.trim() || undefined);
      }}
      onFocus={() => setFocused(true)}
      onBlur={() => {
        setFocused(false);
        // Now: later, it would call back whoever has followed a link in the meantime.
        ask.flush();
      }}
    />
  );
}
