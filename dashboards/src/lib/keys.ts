import { useLocalStorage } from "@mantine/hooks";
import { useEffect, useRef } from "react";

/** Inputs that take no letters: a key pressed there is meant for the page. */
const NO_TEXT = ["checkbox", "radio", "button", "submit", "reset", "range", "color", "file", "image"];
/** What takes keys for itself as long as it is open. */
const ON_TOP = "[role=dialog], [role=menu], [role=listbox]";

/** Whether a key pressed there would be typed, or belongs to something that is open on top of the page. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !NO_TEXT.includes(target.type);
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target.isContentEditable || target.closest(ON_TOP) !== null;
}

/** Whether single keys do anything at this browser: who dictates to it wants them off (WCAG 2.1.4). */
export const useAreKeysOn = () =>
  useLocalStorage({ key: "tutorq-keys", defaultValue: true, getInitialValueInEffect: false });

/** Single keys of a page, by what they type ("?" and not "Shift+/"). None fires while somebody types. */
export function useKeys(keys: Record<string, () => void>, isOn = true): void {
  const newest = useRef(keys);
  newest.current = keys;
  const [areOn] = useAreKeysOn();
  useEffect(() => {
    if (!isOn || !areOn) return;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = newest.current[event.key];
      if (!act || isTyping(event.target)) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [isOn, areOn]);
}
