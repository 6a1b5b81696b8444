import { oneOf, someText } from "../../lib/search-params";

/** Who is chosen and how the page is used, as in the address. */
export interface MatchingSearch {
  student?: string;
  tutor?: string;
  studentSearch?: string;
  tutorSearch?: string;
  /** Only students without an active tutor. */
  needs?: "yes";
  /** Only tutors of this subject. */
  subject?: string;
  /** Tutors of subjects that the student does not have, too. */
  others?: "yes";
  /** Only tutors with a free place. */
  free?: "yes";
  view?: "assignment";
}

/** What changes with another student: other subjects, and a tutor who was chosen for somebody else. */
export const withStudent = (search: MatchingSearch, student: string): Partial<MatchingSearch> =>
  student === search.student || search.student === undefined
    ? { student }
    : { student, subject: undefined, tutor: undefined };

export function matchingSearch(raw: Record<string, unknown>): MatchingSearch {
  return {
    student: someText(raw.student),
    tutor: someText(raw.tutor),
    studentSearch: someText(raw.studentSearch),
    tutorSearch: someText(raw.tutorSearch),
    needs: oneOf(raw.needs, ["yes"]),
    subject: someText(raw.subject),
    others: oneOf(raw.others, ["yes"]),
    free: oneOf(raw.free, ["yes"]),
    view: oneOf(raw.view, ["assignment"]),
  };
}
