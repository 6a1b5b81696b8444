import type { ExcuseNote as Note } from "../../../lib/api-types";
import { moment } from "../../../lib/format";
import { withoutNumber } from "../../../lib/person-name";

/** Why something does not count, who said so, and when. */
export function ExcuseNote({ note }: { note: Note }) {
  return (
    <>
      Excused: “{note.reason}” {withoutNumber(note.created_by)}, {moment(note.created_at)}
    </>
  );
}
