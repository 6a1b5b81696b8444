import { Link } from "@tanstack/react-router";
import classes from "./back-link.module.css";
import { Icon } from "./icons";
import { useWay } from "./way-back";

interface BackLinkProps {
  /** The list that the page belongs to, for who did not come from another page. */
  list?: { to: string; search?: object; label: string };
}

/** Back to the page that the reader came from, as they left it: filters, scroll position and all. */
export function BackLink({ list }: BackLinkProps) {
  const known = useWay();
  const target = known?.way ?? list;
  if (!target) return null;
  return (
    <Link
      to={target.to}
      search={target.search as never}
      className={classes.back}
      onClick={(event) => {
        // To a tab of its own, it is a link as any other.
        if (!known || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        known.goBack();
      }}
    >
      <Icon name="back" size={14} /> {target.label}
    </Link>
  );
}

/** The same on a page that is a list itself: only for who came to it from one tutor, one case or one session. */
export function BackToOne() {
  const known = useWay();
  if (!known) return null;
  const { to, search } = known.way;
  return /^\/(cases|tutors)\//.test(to) || search.session !== undefined ? <BackLink /> : null;
}
