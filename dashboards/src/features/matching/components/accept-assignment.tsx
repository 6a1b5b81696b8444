import { Button, Modal } from "@mantine/core";
import { useState } from "react";
import { Icon } from "../../../components/icons";
import { ErrorNotice, Notice } from "../../../components/notice";
import type { Assignment, AssignmentRequest } from "../../../lib/api-types";
import { counted } from "../../../lib/format";
import { useAcceptAssignment } from "../api/assignment";
import classes from "./accept-assignment.module.css";

interface AcceptAssignmentProps {
  assignment: Assignment;
  /** What the assignment was asked for with. */
  asked: AssignmentRequest;
}

/** The step that does note something: who was given whom, so that it can be seen what became of it. */
export function AcceptAssignment({ assignment, asked }: AcceptAssignmentProps) {
  const [isOpen, setOpen] = useState(false);
  const accept = useAcceptAssignment();
  const pairs = counted(assignment.pairs.length, "pair");
  if (accept.data)
    return (
      <Notice icon="check" isGood>
        {counted(accept.data.pairs, "pair")} accepted. Book their first sessions as usual.
      </Notice>
    );
  return (
    <>
      <div className={classes.bar}>
        <Button leftSection={<Icon name="check" />} onClick={() => setOpen(true)}>
          Accept
        </Button>
      </div>
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title="Accept this assignment?"
        closeButtonProps={{ "aria-label": "Close" }}
        centered
      >
        <p className={classes.what}>
          {pairs} become offers, so that you can follow their outcome. Each offer takes one place of the tutor
          until the first session. tutorq informs nobody and books nothing.
        </p>
        {accept.error && <ErrorNotice text={accept.error.message} />}
        <div className={classes.buttons}>
          <Button variant="default" onClick={() => setOpen(false)}>
            Cancel
          </Button>
          <Button
            loading={accept.isPending}
            onClick={() => accept.mutate({ assignment, asked }, { onSuccess: () => setOpen(false) })}
          >
            Accept {pairs}
          </Button>
        </div>
      </Modal>
    </>
  );
}
