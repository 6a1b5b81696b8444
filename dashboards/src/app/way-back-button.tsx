import { Button } from "@mantine/core";
import { Link, useLocation } from "@tanstack/react-router";

interface ListedPage {
  to: string;
  label: string;
  /** Where each of the list is, if not below the list's own address. */
  each?: string;
}

/** Parts of an address that name one of a list on the list's own page. */
const NAMES_ONE = ["student", "tutor", "open"];

/** The list which the address belongs to, if it is not the list itself. */
export function useList<Listed extends ListedPage>(pages: readonly Listed[]): Listed | undefined {
  const { pathname, search } = useLocation();
  const isOne = NAMES_ONE.some((name) => Object.hasOwn(search, name) && search[name as keyof typeof search]);
  return pages.find(
    ({ to, each = to }) =>
      each !== "/" && (pathname.startsWith(`${each}/`) || (to !== "/" && pathname === to && isOne)),
  );
}

export function WayBackButton({ to, label }: Pick<ListedPage, "to" | "label">) {
  return (
    <Button size="xs" variant="default" renderRoot={(props) => <Link to={to} {...props} />}>
      Go to {label.toLowerCase()}
    </Button>
  );
}
