import classes from "./bar.module.css";
import type { Tone } from "./tag";

interface BarProps {
  /** 0-1; drawn as 0 where it is unknown or cannot be read. */
  fraction: number | null;
  /** Without one it has the colour of the page. */
  tone?: Tone;
  /** Hatched: it will grow or shrink yet. */
  isPartial?: boolean;
}

/** A fraction as a bar. It says nothing to those who do not see it: the figure stands beside it as text. */
export function Bar({ fraction, tone, isPartial = false }: BarProps) {
  const share = fraction !== null && Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
  return (
    <div className={classes.track} data-tone={tone} data-partial={isPartial}>
      <div className={classes.bar} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
