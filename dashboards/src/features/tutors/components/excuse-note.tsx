import type { ExcuseNote as Note } from "../../../lib/api-types";
import { moment } from "../../../lib/format";

/** Names of people come with their number, which keeps namesakes apart in the log; here it only puzzles. */
const PERSON = / \(person \d+\)$/;

/** Why something does not count, who said so, and when. */
export function ExcuseNote({ note }: { note: Note }) {
  return (
    <>
      Excused: “{note.reason}” {note.created_by.replace(PERSON, "")}, {moment(note.created_at)}
    </>
  );
}
