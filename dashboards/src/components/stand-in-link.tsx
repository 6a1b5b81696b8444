import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Icon } from "./icons";

/** Leads to the tutors who could give a planned session in place of its tutor; what else is in the address stays. */
export function StandInLink({ sessionId }: { sessionId: string }) {
  return (
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
      Find a stand-in
    </Button>
  );
}
