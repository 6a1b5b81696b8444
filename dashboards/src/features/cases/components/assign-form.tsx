import { Select, Skeleton } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Case, Owner } from "../../../lib/api-types";
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

function Choice({ owners, cases, onChoose, onCancel }: AssignFormProps & { owners: Owner[] }) {
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
          ? `${tutorName(first.tutor)}, now with ${first.owner?.name ?? "nobody"}`
          : counted(cases.length, "case")}
      </p>
      <Select
        ref={field}
        label="To"
        placeholder="Choose a person"
        data={[
          ...owners.map((owner) => ({ value: String(owner.person_id), label: owner.name })),
          { value: NOBODY, label: "Nobody" },
        ]}
        value={chosen}
        onChange={choose}
        searchable
        nothingFoundMessage="No such person"
        description={owners.length === 0 ? "Add people with “tutorq people add”." : undefined}
        data-autofocus
      />
    </CaseForm>
  );
}
