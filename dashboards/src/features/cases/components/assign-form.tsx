import { Select, Skeleton } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Case, LoadedOwner, Owner } from "../../../lib/api-types";
import { counted } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { useOwners } from "../api/get-owners";
import { CaseForm } from "./case-form";
import classes from "./case-form.module.css";

const NOBODY = "nobody";

interface AssignFormProps {
  cases: Case[];
  onChoose: (owner: Owner | null) => void;
  onCancel: () => void;
}

/** Who is to look after the cases. */
export function AssignForm(props: AssignFormProps) {
  const owners = useOwners();
  return (
    <QueryBoundary query={owners} skeleton={<Skeleton height={140} />}>
      {({ data }) => <Choice owners={data} {...props} />}
    </QueryBoundary>
  );
}

function Choice({ owners, cases, onChoose, onCancel }: AssignFormProps & { owners: LoadedOwner[] }) {
  const [chosen, choose] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  // It may come later than the dialog, which has given the focus to what was there.
  useEffect(() => field.current?.focus(), []);
  const [first] = cases;
  return (
    <CaseForm
      send="Assign"
      isDisabled={chosen === null}
      onCancel={onCancel}
      onSend={() => onChoose(owners.find((owner) => String(owner.person_id) === chosen) ?? null)}
    >
      <p className={classes.about}>
        {cases.length === 1 && first
          ? `${tutorName(first.tutor)}; current owner: ${first.owner?.name ?? "nobody"}`
          : counted(cases.length, "case")}
      </p>
      <Select
        ref={field}
        label="To"
        placeholder="Choose a person"
        data={[...choicesOf(owners, cases), { value: NOBODY, label: "Nobody" }]}
        value={chosen}
        onChange={choose}
        searchable
        nothingFoundMessage="No matching person"
        description={
          owners.length === 0
            ? "Add people with “tutorq people add”."
            : "With open cases; the tutor’s coaches come first"
        }
        data-autofocus
      />
    </CaseForm>
  );
}

/** "Ann Lee · 12 open cases · coach of the tutor"; coaches of the tutors first. */
export function choicesOf(owners: readonly LoadedOwner[], cases: readonly Case[]) {
  const theirs = ({ person_id }: LoadedOwner) =>
    cases.filter(({ coaches }) => coaches.some((coach) => coach.person_id === person_id)).length;
  return owners
    .map((owner) => ({ owner, tutors: theirs(owner) }))
    .toSorted((one, other) => other.tutors - one.tutors)
    .map(({ owner, tutors }) => ({
      value: String(owner.person_id),
      label: [
        owner.name,
        counted(owner.open_cases, "open case"),
        tutors > 0 && (cases.length === 1 ? "coach of the tutor" : `coach of ${counted(tutors, "tutor")}`),
      ]
        .filter(Boolean)
        .join(" · "),
    }));
}
