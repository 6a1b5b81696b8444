import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { tutorName } from "../lib/person-name";
import { Icon } from "./icons";
import classes from "./stand-in-link.module.css";
import { Tag } from "./tag";

interface StandInLinkProps {
  sessionId: string;
  /** Who has agreed to give it, where that is known. */
  session?: { stand_in_id: string | null; stand_in_external_id: string | null; stand_in_name: string | null };
}

/** Leads to the tutors who could give a planned session in place of its tutor; what else is in the address stays. */
export function StandInLink({ sessionId, session }: StandInLinkProps) {
  const id = session?.stand_in_id;
  const link = (
    <Button
      renderRoot={(props) => (
        <Link
          to="/upcoming"
          search={(before) => ({ ...before, session: sessionId })}
          resetScroll={false}
          {...props}
        />
      )}
      size="compact-xs"
      h={26}
      variant="default"
      leftSection={<Icon name="person" size={13} />}
    >
      {id ? "Change stand-in" : "Find a stand-in"}
    </Button>
  );
  if (!id) return link;
  const name = tutorName({
    tutor_id: id,
    external_id: session.stand_in_external_id,
    name: session.stand_in_name,
  });
  return (
    <span className={classes.agreed}>
      <Tag tone="ok" icon="check" label={`${name} agreed`} />
      {link}
    </span>
  );
}
