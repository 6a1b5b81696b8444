import { Button, Modal, SegmentedControl, Skeleton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { QueryBoundary } from "../../../components/query-boundary";
import { useSession } from "../../../lib/auth";
import { usePreview } from "../api/kinds";
import { KINDS, type Kind } from "../report-search";
import classes from "./preview-dialog.module.css";

/** As wide as a mail program on a screen, and on a phone. */
const LOOKS = [
  { value: "600", label: "Wide" },
  { value: "360", label: "Phone" },
  { value: "text", label: "Text" },
] as const;
type Look = (typeof LOOKS)[number]["value"];

interface PreviewDialogProps {
  /** Undefined while it is closed. */
  kind: Kind | undefined;
  onClose: () => void;
  onTest: (kind: Kind) => void;
  isTesting: boolean;
}

/** A mail of one kind, made of the newest figures. */
export function PreviewDialog({ kind, onClose, ...others }: PreviewDialogProps) {
  const isPhone = useMediaQuery("(max-width: 48em)");
  return (
    <Modal
      opened={kind !== undefined}
      onClose={onClose}
      size={680}
      fullScreen={isPhone}
      title={kind && `Preview: ${KINDS[kind] ?? kind}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {kind && <Preview kind={kind} {...others} />}
    </Modal>
  );
}

function Preview({
  kind,
  onTest,
  isTesting,
}: { kind: Kind } & Pick<PreviewDialogProps, "onTest" | "isTesting">) {
  const preview = usePreview(kind);
  const [look, setLook] = useState<Look>("600");
  const isPerson = useSession().data?.person_id != null;
  return (
    <QueryBoundary query={preview} skeleton={<Skeleton height={480} />}>
      {({ data: { mail, missing } }) =>
        mail ? (
          <div className={classes.preview}>
            <h2 className={classes.subject}>{mail.subject}</h2>
            <div className={classes.tools}>
              <SegmentedControl
                size="xs"
                aria-label="Width"
                data={[...LOOKS]}
                value={look}
                onChange={(chosen) => setLook(chosen as Look)}
              />
              {isPerson && (
                <Button size="xs" variant="default" loading={isTesting} onClick={() => onTest(kind)}>
                  Send me a test
                </Button>
              )}
            </div>
            {look === "text" ? (
              <pre className={classes.text}>{mail.text}</pre>
            ) : (
              // No scripts and nothing from elsewhere: a mail may do no more here than in a mail program.
              <iframe
                className={classes.frame}
                style={{ width: Number(look) }}
                title="Mail preview"
                src={`/api/reports/kinds/${kind}/preview/html`}
                sandbox="allow-popups"
              />
            )}
          </div>
        ) : (
          <EmptyState icon="mail" title="Nothing to show yet">
            {missing}
          </EmptyState>
        )
      }
    </QueryBoundary>
  );
}
