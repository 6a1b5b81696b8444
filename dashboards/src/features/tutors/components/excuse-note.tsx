import type { ExcuseNote as Note } from "../../../lib/api-types";
import { moment } from "../../../lib/format";

/** Why something does not count, who said so, and when. */
export function ExcuseNote({ note }: { note: Note }) {
  return (
    <>
      Excused: “{note.reason}” {note.created_by}, {moment(note.created_at)}
    </>
  );
}
