import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";
import { DECIMAL_SEPARATOR } from "../lib/locale";

const accent: MantineColorsTuple = [
  "#eef2ff",
  "#dfe6fd",
  "#bac8f6",
  "#93a9ee",
  "#738ee7",
  "#5c7ae0",
  "#4263d6",
  "#3552c0",
  "#2c45a8",
  "#223788",
];

/** Cool greys; the last ones are the surfaces of the dark page. */
const dark: MantineColorsTuple = [
  "#d6dae3",
  "#b6bdcb",
  "#98a1b3",
  "#6b7488",
  "#40485a",
  "#323948",
  "#252b38",
  "#1b202b",
  "#141821",
  "#0e1118",
];

/** Nothing that can be clicked is smaller than 24 px (WCAG 2.5.8), as Mantine's smallest sizes are. */
const smallest = (size: string, root: Record<string, string>) => ({
  vars: (_: unknown, props: { size?: unknown }) => ({ root: props.size === size ? root : {} }),
});

export const theme = createTheme({
  components: {
    // The list itself scrolls, so that the field which has the focus scrolls it: nothing around it would be focusable.
    Select: {
      defaultProps: { withScrollArea: false },
      styles: { options: { maxHeight: 220, overflowY: "auto" } },
    },
    Button: smallest("compact-xs", { "--button-height": "1.5rem" }),
    NumberInput: { defaultProps: { decimalSeparator: DECIMAL_SEPARATOR } },
    Chip: smallest("xs", { "--chip-size": "1.5rem" }),
    SegmentedControl: smallest("xs", { "--sc-padding": "0.1875rem 0.375rem" }),
  },
  primaryColor: "accent",
  primaryShade: { light: 7, dark: 6 },
  colors: { accent, dark },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  headings: {
    fontWeight: "650",
    sizes: {
      h1: { fontSize: "1.375rem", lineHeight: "1.3" },
      h2: { fontSize: "0.9375rem", lineHeight: "1.4" },
    },
  },
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.25rem" },
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
});

/**
 * Text that steps back must still be readable (WCAG AA on every surface it stands on), which Mantine's dimmed grey
 * is not. The status colours come in two strengths: for text, and for marks.
 */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#ffffff",
    "--mantine-color-text": "#1a2030",
    "--mantine-color-dimmed": "#596275",
    "--mantine-color-placeholder": "#6a7386",
    "--mantine-color-error": "#b42318",
    "--page": "#f5f6f9",
    "--line": "#e3e6ed",
    "--hover": "#f5f7fc",
    "--track": "#e9ecf2",
    "--high-text": "#a61b12",
    "--high-mark": "#d9372a",
    "--high-tint": "#fdecea",
    "--watch-text": "#7a4a00",
    "--watch-mark": "#d98a00",
    "--watch-tint": "#fef3dc",
    "--ok-text": "#146c3c",
    "--ok-mark": "#2b9a5e",
    "--ok-tint": "#e5f5ec",
    "--none-text": "#535c6e",
    "--none-mark": "#9aa3b4",
    "--none-tint": "#eef0f4",
    "--accent-text": "#2c45a8",
    "--accent-mark": "#4263d6",
    "--accent-tint": "#eef2ff",
  },
  dark: {
    "--mantine-color-body": "#171b24",
    "--mantine-color-text": "#e4e7ee",
    "--mantine-color-dimmed": "#a0a9ba",
    "--mantine-color-placeholder": "#8f98aa",
    "--mantine-color-error": "#ff9d94",
    "--page": "#0f1219",
    "--line": "#2a303d",
    "--hover": "#1e2430",
    "--track": "#2a303d",
    "--high-text": "#ff9d94",
    "--high-mark": "#f0564a",
    "--high-tint": "#3a1b1a",
    "--watch-text": "#f5c06a",
    "--watch-mark": "#e0a030",
    "--watch-tint": "#36290f",
    "--ok-text": "#7fd6a4",
    "--ok-mark": "#3fb075",
    "--ok-tint": "#14301f",
    "--none-text": "#aab2c2",
    "--none-mark": "#6f7a8e",
    "--none-tint": "#262c38",
    "--accent-text": "#a9bbf7",
    "--accent-mark": "#7d96ee",
    "--accent-tint": "#1d2540",
  },
});
