import { api, body } from "../../../lib/api";

/** Have the audit log tell of an export. */
export const noteExport = (rows: number) =>
  body(api.POST("/api/audit/exports", { body: { what: "tutors", rows } }));
