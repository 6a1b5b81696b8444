import type { KeyboardEvent } from "react";

/** Lets the arrow keys go from one of these elements to the next; the tab key would visit every one of them. */
export function moveWithArrowKeys(selector: string) {
  return (event: KeyboardEvent<HTMLElement>) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>(selector)];
    const next = all[all.indexOf(document.activeElement as HTMLElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
}
