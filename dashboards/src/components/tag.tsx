import { Icon, type IconName } from "./icons";
import classes from "./tag.module.css";

export type Tone = "high" | "watch" | "ok" | "none";

export interface TagProps {
  tone: Tone;
  icon?: IconName;
  label: string;
}

/** A short word on a coloured ground; the icon says the same to those who see no colour. */
export function Tag({ tone, icon, label }: TagProps) {
  return (
    <span className={classes.tag} data-tone={tone}>
      {icon && <Icon name={icon} size={13} />}
      {label}
    </span>
  );
}
