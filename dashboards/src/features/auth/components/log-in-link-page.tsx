import { Navigate } from "@tanstack/react-router";

/** The address of one-time links, for who is logged in: there is nothing more to do here. */
export function LogInLinkPage() {
  return <Navigate to="/" replace />;
}
