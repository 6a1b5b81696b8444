import { Button, CopyButton } from "@mantine/core";
import { Notice } from "../../../components/notice";
import classes from "./secret-once.module.css";
import form from "./webhook-form.module.css";

interface SecretOnceProps {
  secret: string;
  note?: string;
  onDone: () => void;
}

/** A secret that cannot be shown again, to be copied. */
export function SecretOnce({ secret, note, onDone }: SecretOnceProps) {
  return (
    <div className={form.form}>
      <Notice icon="lock">Copy the secret now. It is not shown again.</Notice>
      <code className={classes.secret}>{secret}</code>
      {note && <p>{note}</p>}
      <div className={form.buttons}>
        <CopyButton value={secret}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy secret"}
            </Button>
          )}
        </CopyButton>
        <Button onClick={onDone}>Done</Button>
      </div>
    </div>
  );
}
