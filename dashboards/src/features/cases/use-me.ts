import type { Owner } from "../../lib/api-types";
import { useSession } from "../../lib/auth";

/** The reader as somebody who can look after cases; null for keys, and for who may only look. */
export function useMe(): Owner | null {
  const session = useSession().data;
  if (!session?.person_id || session.role === "read") return null;
  return { person_id: session.person_id, name: session.name, role: session.role, is_active: true };
}

/** Why the reader cannot change a case; null if they may be able to. */
export function useWhyNot(): string {
  return useSession().data?.role === "coach"
    ? "You can change your own tutors’ cases only."
    : "Your role can view cases only.";
}
