/** What to call people: by name, else by the id they were delivered with, else by the start of ours. */
export function tutorName(tutor: {
  name: string | null;
  external_id: string | null;
  tutor_id: string;
}): string {
  return tutor.name ?? tutor.external_id ?? `Tutor ${tutor.tutor_id.slice(0, 8)}`;
}

export function studentName(student: {
  name: string | null;
  external_id?: string | null;
  student_id: string;
}): string {
  return student.name ?? student.external_id ?? `Student ${student.student_id.slice(0, 8)}`;
}

/** `Ann Lee (person 7)` -> `Ann Lee`: the number keeps namesakes apart in the audit log; elsewhere it only puzzles. */
export const withoutNumber = (actor: string): string => actor.replace(/ \(person \d+\)$/, "");

/** `Ada Novak` -> `Ada`; the whole name where it begins with a title or an initial. As mails of cases have it. */
export function firstName(name: string): string {
  const [first = name] = name.trim().split(/\s+/);
  return first.endsWith(".") || first.length === 1 ? name : first;
}
