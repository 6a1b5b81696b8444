import { OpenAppealsOf, OwnPageLink } from "../features/appeals/components/tutor-appeals";
import { CaseStrip } from "../features/cases/components/case-strip";
import { TutorPage } from "../features/tutors/components/tutor-page";

/** A tutor's page with the case and the appeals of the tutor: features that do not know each other. */
export function TutorPageWithCase() {
  return (
    <TutorPage
      above={({ tutor_id }) => (
        <>
          <OpenAppealsOf tutorId={tutor_id} />
          <CaseStrip tutorId={tutor_id} />
          <OwnPageLink tutorId={tutor_id} />
        </>
      )}
    />
  );
}
