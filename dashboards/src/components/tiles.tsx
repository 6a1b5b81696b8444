import type { ReactNode } from "react";
import classes from "./tiles.module.css";

/** A row of figures; its children are `Tile`s. */
export function Tiles({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul className={classes.tiles} aria-label={label}>
      {children}
    </ul>
  );
}

export function Tile({ label, figure, detail }: { label: string; figure: string; detail?: string }) {
  return (
    <li className={classes.tile}>
      <span>{label}</span>
      <strong>{figure}</strong>
      {detail && <span>{detail}</span>}
    </li>
  );
}
