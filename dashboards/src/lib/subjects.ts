/** The subject of a session, or all of a person; the same words wherever nobody has named one. */
export function subjectOf(given: string | null | readonly string[], none = "no subject"): string {
  return (typeof given === "string" ? given : given?.join(", ")) || none;
}
