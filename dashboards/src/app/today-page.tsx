import { WaitingNotice } from "../features/appeals/components/waiting";
import { TodayPage } from "../features/cases/components/today-page";
import { TodaysHours } from "../features/upcoming/components/todays-hours";

/** The first page, with a word on appeals that wait for a decision, and the sessions of the day. */
export function TodayPageWithAppeals() {
  return (
    <TodayPage
      above={
        <>
          <WaitingNotice />
          <TodaysHours />
        </>
      }
    />
  );
}
