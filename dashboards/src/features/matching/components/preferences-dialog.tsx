import { Button, Modal, NumberInput, Select, Skeleton } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { QueryBoundary } from "../../../components/query-boundary";
import type { MatchStudent, MatchTutor, StudentPreferences, TutorPreferences } from "../../../lib/api-types";
import { studentName, tutorName } from "../../../lib/person-name";
import { useChangeStudent, useChangeTutor, useMatchTutor, useStudent } from "../api/people";
import classes from "./preferences-dialog.module.css";

export type Whose = "student" | "tutor";

interface PreferencesDialogProps {
  whose: Whose | null;
  studentId: string;
  tutorId: string;
  onClose: () => void;
}

/** Edit what one of the two prefers; predictions follow at once. */
export function PreferencesDialog({ whose, studentId, tutorId, onClose }: PreferencesDialogProps) {
  return (
    <Modal
      opened={whose !== null}
      onClose={onClose}
      title={whose === "student" ? "Student preferences" : "Tutor preferences"}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {whose === "student" && <StudentForm studentId={studentId} onDone={onClose} />}
      {whose === "tutor" && <TutorForm tutorId={tutorId} onDone={onClose} />}
    </Modal>
  );
}

function StudentForm({ studentId, onDone }: { studentId: string; onDone: () => void }) {
  const query = useStudent(studentId);
  const change = useChangeStudent(studentId);
  return (
    <QueryBoundary query={query} skeleton={<Skeleton height={240} />}>
      {({ data }) => <StudentFields student={data} {...saving(change, onDone)} />}
    </QueryBoundary>
  );
}

function TutorForm({ tutorId, onDone }: { tutorId: string; onDone: () => void }) {
  const query = useMatchTutor(tutorId);
  const change = useChangeTutor(tutorId);
  return (
    <QueryBoundary query={query} skeleton={<Skeleton height={240} />}>
      {({ data }) => <TutorFields tutor={data} {...saving(change, onDone)} />}
    </QueryBoundary>
  );
}

interface FieldsProps<Patch> {
  isBusy: boolean;
  error: Error | null;
  onSave: (patch: Patch) => void;
}

const saving = <Patch,>(
  change: UseMutationResult<unknown, Error, Patch>,
  onDone: () => void,
): FieldsProps<Patch> => ({
  isBusy: change.isPending,
  error: change.error,
  onSave: (patch) => change.mutate(patch, { onSuccess: onDone }),
});

function StudentFields({
  student,
  isBusy,
  error,
  onSave,
}: FieldsProps<StudentPreferences> & { student: MatchStudent }) {
  const [style, setStyle] = useState(student.preferred_teaching_style);
  const [pace, setPace] = useState(student.preferred_pace);
  const [communication, setCommunication] = useState(student.communication_style);
  const [urgency, setUrgency] = useState(student.urgency_level);
  const save = () =>
    onSave({
      preferred_teaching_style: style,
      preferred_pace: pace,
      communication_style: communication,
      urgency_level: urgency,
    });
  return (
    <Form who={studentName(student)} isBusy={isBusy} error={error} onSave={save}>
      <Style value={style} onChange={setStyle} />
      <Grade label="Pace" ends="1 slow to 5 fast" value={pace} onChange={setPace} />
      <Grade
        label="Communication"
        ends="1 formal to 5 casual"
        value={communication}
        onChange={setCommunication}
      />
      <Grade label="Urgency" ends="1 relaxed to 5 urgent" value={urgency} onChange={setUrgency} />
    </Form>
  );
}

function TutorFields({
  tutor,
  isBusy,
  error,
  onSave,
}: FieldsProps<TutorPreferences> & { tutor: MatchTutor }) {
  const [style, setStyle] = useState(tutor.teaching_style);
  const [pace, setPace] = useState(tutor.preferred_pace);
  const [communication, setCommunication] = useState(tutor.communication_style);
  const [capacity, setCapacity] = useState(tutor.capacity);
  const save = () =>
    onSave({ teaching_style: style, preferred_pace: pace, communication_style: communication, capacity });
  return (
    <Form who={tutorName(tutor)} isBusy={isBusy} error={error} onSave={save}>
      <Style value={style} onChange={setStyle} />
      <Grade label="Pace" ends="1 slow to 5 fast" value={pace} onChange={setPace} />
      <Grade
        label="Communication"
        ends="1 formal to 5 casual"
        value={communication}
        onChange={setCommunication}
      />
      <NumberInput
        label="Capacity"
        description="Maximum students; empty if unknown"
        min={0}
        max={1000}
        allowDecimal={false}
        value={capacity ?? ""}
        onChange={(value) => setCapacity(typeof value === "number" ? value : null)}
      />
    </Form>
  );
}

interface FormProps {
  who: string;
  isBusy: boolean;
  error: Error | null;
  onSave: () => void;
  children: React.ReactNode;
}

function Form({ who, isBusy, error, onSave, children }: FormProps) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave();
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      <p className={classes.who}>{who}</p>
      {children}
      {error && (
        <p role="alert" className={classes.error}>
          {error.message}
        </p>
      )}
      <Button type="submit" loading={isBusy}>
        Save and predict again
      </Button>
    </form>
  );
}

type TeachingStyle = MatchTutor["teaching_style"];

function Style({ value, onChange }: { value: TeachingStyle; onChange: (value: TeachingStyle) => void }) {
  return (
    <Select
      label="Teaching style"
      placeholder="Not known"
      clearable
      data={[
        { value: "structured", label: "Structured" },
        { value: "flexible", label: "Flexible" },
        { value: "interactive", label: "Interactive" },
      ]}
      value={value}
      onChange={(chosen) => onChange(chosen as TeachingStyle)}
    />
  );
}

interface GradeProps {
  label: string;
  ends: string;
  value: number | null;
  onChange: (value: number | null) => void;
}

function Grade({ label, ends, value, onChange }: GradeProps) {
  return (
    <Select
      label={label}
      description={ends}
      placeholder="Not known"
      clearable
      data={["1", "2", "3", "4", "5"]}
      value={value === null ? null : String(value)}
      onChange={(chosen) => onChange(chosen === null ? null : Number(chosen))}
    />
  );
}
