import { CaseStrip } from "../features/cases/components/case-strip";
import { TutorPage } from "../features/tutors/components/tutor-page";

/** A tutor's page with the case about the tutor: two features that do not know each other. */
export function TutorPageWithCase() {
  return <TutorPage above={({ tutor_id }) => <CaseStrip tutorId={tutor_id} />} />;
}
