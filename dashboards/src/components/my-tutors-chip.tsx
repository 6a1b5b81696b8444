import { Chip } from "@mantine/core";
import { useSession } from "../lib/auth";

interface MyTutorsChipProps {
  /** Whose tutors are shown, by number; all if of nobody. */
  team: number | undefined;
  onChange: (team: number | undefined) => void;
  className?: string;
}

/** Only one's own tutors, or all. Coaches have some; others see it where an address asks for a team. */
export function MyTutorsChip({ team, onChange, className }: MyTutorsChipProps) {
  const session = useSession().data;
  if (session?.role !== "coach" && team === undefined) return null;
  return (
    <Chip
      size="xs"
      radius="xl"
      variant="outline"
      className={className}
      checked={team !== undefined}
      onChange={(isOn) => onChange(isOn ? (session?.person_id ?? undefined) : undefined)}
    >
      {team === undefined || team === session?.person_id ? "My tutors" : "One team"}
    </Chip>
  );
}
