import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";

/** Beside flags: how far to trust them. */
export function HonestyLink() {
  return (
    <Button size="xs" variant="default" renderRoot={(props) => <Link to="/honesty" {...props} />}>
      How often flags are right
    </Button>
  );
}
