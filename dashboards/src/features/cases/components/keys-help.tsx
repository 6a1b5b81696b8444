import { Button, Modal, Switch } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useAreKeysOn } from "../../../lib/keys";
import classes from "./keys-help.module.css";

type Keys = readonly (readonly [key: string, what: string])[];

export const TODAY_KEYS: Keys = [
  ["j / k", "Next or previous case"],
  ["x", "Select or deselect"],
  ["a", "Assign (coaches: take)"],
  ["e", "Log a contact"],
  ["s", "Snooze"],
  ["Enter", "Open the case"],
  ["/", "Search"],
  ["?", "Show these keys"],
];
export const CASE_KEYS: Keys = [
  ["j / k", "Next or previous case in the list"],
  ["u", "Back to the previous page"],
  ["a", "Assign (coaches: take)"],
  ["e", "Log a contact"],
  ["s", "Snooze"],
  ["n", "Add a note"],
  ["?", "Show these keys"],
];

/** Whether the keys are shown, and how to show them. */
export function useKeysHelp() {
  const [isOpen, { open, close }] = useDisclosure(false);
  return { isOpen, open, close };
}

export function KeysButton({ onClick }: { onClick: () => void }) {
  return (
    <Button className={classes.keys} size="xs" variant="default" onClick={onClick} aria-keyshortcuts="?">
      Keys <kbd className={classes.key}>?</kbd>
    </Button>
  );
}

/** A key as it is written beside what it does. */
export const Key = ({ name }: { name: string }) => <kbd className={classes.key}>{name}</kbd>;

interface KeysHelpProps {
  keys: Keys;
  isOpen: boolean;
  close: () => void;
}

export function KeysHelp({ keys, isOpen, close }: KeysHelpProps) {
  const [areOn, setAreOn] = useAreKeysOn();
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title="Keys"
      size="xs"
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      <dl className={classes.help}>
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <Key name={key} />
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Switch
        size="xs"
        className={classes.switch}
        label="Use single-key shortcuts"
        checked={areOn}
        onChange={(event) => setAreOn(event.currentTarget.checked)}
      />
    </Modal>
  );
}
