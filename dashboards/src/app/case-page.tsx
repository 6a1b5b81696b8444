import { OpenAppealsOf } from "../features/appeals/components/tutor-appeals";
import { CasePage } from "../features/cases/components/case-page";

/** A case, with the open appeals of its tutor. */
export function CasePageWithAppeals() {
  return <CasePage above={({ tutor }) => <OpenAppealsOf tutorId={tutor.tutor_id} />} />;
}
