// Before the first paint, so that a reader of the dark page is not flashed at. A file, because the policy forbids
// scripts in the page; the key is the one that Mantine keeps the choice under.
const chosen = localStorage.getItem("mantine-color-scheme-value");
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.setAttribute(
  "data-mantine-color-scheme",
  chosen === "light" || chosen === "dark" ? chosen : dark ? "dark" : "light",
);
