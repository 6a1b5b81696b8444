import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { ErrorNotice, Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { useSendTest } from "../api/kinds";
import { KINDS, type Kind, type ReportSearch } from "../report-search";
import { KindCards } from "./kind-cards";
import { MailLog } from "./mail-log";
import { PreviewDialog } from "./preview-dialog";
import { ReportDrawer } from "./report-drawer";

/** What tutorq sends, to whom and when; how each looks; and what became of every mail. */
export function MessagesPage() {
  const search = useSearch({ from: "/messages" });
  const navigate = useNavigate({ from: "/messages" });
  const change = (changes: Partial<ReportSearch>) =>
    navigate({ search: (before) => ({ ...before, ...changes }), resetScroll: false });
  const test = useSendTest();
  const [asked, setAsked] = useState<Kind | null>(null);
  const send = (kind: Kind) => {
    setAsked(kind);
    test.mutate(kind);
  };
  return (
    <Page title="Messages" note="What is sent, to whom, and when">
      {test.error && <ErrorNotice text={test.error.message} />}
      {test.data && asked && (
        <Notice icon="check" isGood>
          Test queued for {test.data.data.recipient}: {KINDS[asked] ?? asked}
        </Notice>
      )}
      <KindCards
        onPreview={(kind) => change({ preview: kind })}
        onTest={send}
        testing={test.isPending ? asked : null}
      />
      <MailLog search={search} change={change} />
      <ReportDrawer reportId={search.open} onClose={() => change({ open: undefined })} />
      <PreviewDialog
        kind={search.preview}
        onClose={() => change({ preview: undefined })}
        onTest={send}
        isTesting={test.isPending}
      />
    </Page>
  );
}
