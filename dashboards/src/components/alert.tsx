import { type ComponentProps, useLayoutEffect, useState } from "react";

/** How many parts of the page show each text. */
const shown = new Map<string, number>();

interface AlertProps extends ComponentProps<"div"> {
  /** What it says; its children, if it has some, say the same. */
  text: string;
}

/**
 * A problem, which screen readers announce as soon as it is there: once, although several parts of the page may have it
 * at the same time, as when the API is down.
 */
export function Alert({ text, children = text, ...attributes }: AlertProps) {
  const [isFirst, setFirst] = useState(false);
  // Before the browser has drawn it, so that it is an alert from the beginning.
  useLayoutEffect(() => {
    const others = shown.get(text) ?? 0;
    shown.set(text, others + 1);
    setFirst(others === 0);
    return () => {
      const left = (shown.get(text) ?? 1) - 1;
      if (left > 0) shown.set(text, left);
      else shown.delete(text);
    };
  }, [text]);
  return (
    <div {...attributes} role={isFirst ? "alert" : undefined}>
      {children}
    </div>
  );
}
