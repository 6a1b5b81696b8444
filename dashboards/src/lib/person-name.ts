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
