import { Checkbox, Group, NumberInput, Slider } from "@mantine/core";
import { useId } from "react";
import type { ScoringSetting } from "../../../lib/api-types";
import { CAUSE_NAMES, causeLabel, inWords, isSame, type Value } from "../values";
import classes from "./what-if-page.module.css";

interface SettingControlProps {
  setting: ScoringSetting;
  value: Value;
  onChange: (value: Value) => void;
}

/** One setting: a slider with a box for the number, or a box per cause. */
export function SettingControl({ setting, value, onChange }: SettingControlProps) {
  const id = useId();
  const isChanged = !isSame(value, setting.value);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a grid in all browsers
    <div role="group" aria-labelledby={id} className={classes.setting} data-changed={isChanged}>
      <div className={classes.settingHead}>
        <span id={id} className={classes.settingLabel}>
          {setting.label}
        </span>
        {isChanged && <span className={classes.was}>now {inWords(setting.value, setting.unit)}</span>}
      </div>
      {Array.isArray(value) ? (
        <Checkbox.Group value={value} onChange={(chosen) => chosen.length > 0 && onChange(chosen as Value)}>
          <Group gap="md">
            {CAUSE_NAMES.map((cause) => (
              <Checkbox key={cause} value={cause} label={causeLabel(cause)} />
            ))}
          </Group>
        </Checkbox.Group>
      ) : (
        <NumberControl setting={setting} value={value} onChange={onChange} />
      )}
      <span className={classes.settingNote}>{setting.description}</span>
    </div>
  );
}

interface NumberControlProps {
  setting: ScoringSetting;
  value: number;
  onChange: (value: number) => void;
}

const SUFFIXES: Partial<Record<ScoringSetting["unit"], string>> = {
  share: "%",
  days: " d",
  minutes: " min",
};

/** Shares are shown in per cent, and kept as fractions. */
function NumberControl({ setting, value, onChange }: NumberControlProps) {
  const factor = setting.unit === "share" ? 100 : 1;
  const least = (setting.least ?? 0) * factor;
  const most = (setting.most ?? 1) * factor;
  const shown = rounded(value * factor);
  const step = setting.step * factor;
  const change = (next: number) => onChange(rounded(next / factor));
  return (
    <div className={classes.number}>
      <Slider
        thumbLabel={setting.label}
        min={least}
        max={most}
        step={step}
        value={shown}
        label={null}
        thumbSize={24}
        onChange={change}
      />
      <NumberInput
        aria-label={`${setting.label}, ${setting.unit === "share" ? "per cent" : setting.unit}`}
        size="xs"
        hideControls
        min={least}
        max={most}
        step={step}
        decimalScale={setting.unit === "share" ? 1 : 2}
        suffix={SUFFIXES[setting.unit]}
        clampBehavior="blur"
        value={shown}
        onChange={(next) => typeof next === "number" && next >= least && next <= most && change(next)}
      />
    </div>
  );
}

/** Without the trace that 0.07 * 100 leaves. */
const rounded = (value: number): number => Number(value.toFixed(6));
