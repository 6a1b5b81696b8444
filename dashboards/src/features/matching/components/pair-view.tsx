import { SegmentedControl, Select, Switch } from "@mantine/core";
import { useState } from "react";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { Tag } from "../../../components/tag";
import { count, counted } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { useMatchTutors, useStudent, useStudents } from "../api/people";
import { useMatches } from "../api/predictions";
import { freePlaces } from "../free-places";
import { type MatchingSearch, withStudent } from "../matching-search";
import { MatchPanel } from "./match-panel";
import classes from "./pair-view.module.css";
import { PeopleList, type PersonCard } from "./people-list";

interface PairViewProps {
  search: MatchingSearch;
  onChange: (changes: Partial<MatchingSearch>) => void;
}

type Part = "students" | "match" | "tutors";

/** Students on the left, tutors on the right, and between them what is predicted for the two that are chosen. */
export function PairView({ search, onChange }: PairViewProps) {
  const { student, tutor } = search;
  // Only one of the three fits a telephone.
  const [part, setPart] = useState<Part>(!student ? "students" : tutor ? "match" : "tutors");
  return (
    <>
      <SegmentedControl
        className={classes.parts}
        aria-label="Section"
        value={part}
        onChange={(value) => setPart(value as Part)}
        data={[
          { value: "students", label: "Student" },
          { value: "tutors", label: "Tutor" },
          { value: "match", label: "Match", disabled: !student || !tutor },
        ]}
      />
      <div className={classes.columns} data-part={part}>
        <Students
          search={search}
          onChange={onChange}
          onChoose={(id) => {
            const change = withStudent(search, id);
            onChange(change);
            setPart({ ...search, ...change }.tutor ? "match" : "tutors");
          }}
        />
        <div className={classes.match}>
          {student && tutor ? (
            <MatchPanel
              key={`${student} ${tutor}`}
              studentId={student}
              tutorId={tutor}
              subject={search.subject}
              onChooseTutor={(id) => onChange({ tutor: id })}
            />
          ) : (
            <Panel>
              <EmptyState
                icon="person"
                title={student ? "Now choose a tutor" : "Choose a student and a tutor"}
              >
                {student
                  ? "Tutors with the lowest leaving risk come first, those with a raised concern last."
                  : "You will see the leaving risk, its factors and alternatives."}
              </EmptyState>
            </Panel>
          )}
        </div>
        <Tutors
          search={search}
          onChange={onChange}
          onChoose={(id) => {
            onChange({ tutor: id });
            setPart(student ? "match" : "students");
          }}
        />
      </div>
    </>
  );
}

interface ColumnProps extends PairViewProps {
  onChoose: (id: string) => void;
}

function Students({ search, onChange, onChoose }: ColumnProps) {
  const students = useStudents(search.studentSearch, search.needs && true);
  const meta = students.data?.meta;
  const chosen = useStudent(search.student).data?.data;
  const cards = students.data?.data.map(
    (student): PersonCard => ({
      id: student.student_id,
      name: studentName(student),
      about: [
        student.name && (student.external_id ?? student.student_id.slice(0, 8)),
        student.age !== null && counted(student.age, "year"),
        subjectOf(student.subjects),
      ]
        .filter(Boolean)
        .join(" · "),
      aside: student.urgency_level !== null && student.urgency_level >= 4 ? "urgent" : undefined,
      tags: student.needs_tutor && !search.needs && <Tag tone="watch" icon="person" label="Needs a tutor" />,
    }),
  );
  return (
    <PeopleList
      className={classes.students}
      title="Students"
      note={
        meta &&
        `${count(meta.total)} active${search.needs ? " without an active tutor, the most urgent first" : ""}`
      }
      query={students}
      cards={cards}
      total={meta?.total}
      chosen={search.student}
      chosenName={chosen && studentName(chosen)}
      searched={search.studentSearch}
      onSearch={(studentSearch) => onChange({ studentSearch })}
      onChoose={onChoose}
      nobody={search.needs ? "Every active student has a tutor." : "No student is active."}
      filter={
        <Switch
          size="xs"
          label="Needs a tutor"
          checked={search.needs === "yes"}
          onChange={(event) => onChange({ needs: event.currentTarget.checked ? "yes" : undefined })}
        />
      }
    />
  );
}

/** Those who fit the chosen student, the best first; all of them where nobody is chosen, or a name is searched for. */
function Tutors({ search, onChange, onChoose }: ColumnProps) {
  const student = useStudent(search.student);
  const conditions = { subject: search.subject, hasCapacity: search.free && (true as const) };
  const isNarrowed = search.subject !== undefined || search.free !== undefined;
  const wantsFit = search.student !== undefined && search.tutorSearch === undefined;
  const sharesSubject = search.others === undefined;
  const matches = useMatches(wantsFit ? search.student : undefined, { ...conditions, sharesSubject });
  const isPredicted = matches.data === undefined || matches.data.meta.total > 0;
  const isByFit = wantsFit && (isPredicted || isNarrowed);
  const tutors = useMatchTutors(search.tutorSearch, conditions);
  const query = isByFit ? matches : tutors;
  const cards = isByFit
    ? matches.data?.data.map(
        (match): PersonCard => ({
          id: match.tutor_id,
          name: tutorName(match),
          about: [match.name && match.external_id, subjectOf(match.subjects)].filter(Boolean).join(" · "),
          aside: freePlaces(match.free_capacity),
          tags: <ConcernBadges concerns={match.concerns} />,
          fit: {
            risk: {
              of: "leaving",
              level: match.risk_level,
              probability: match.churn_probability,
            },
            compatibility: match.compatibility_score,
          },
        }),
      )
    : tutors.data?.data.map(
        (tutor): PersonCard => ({
          id: tutor.tutor_id,
          name: tutorName(tutor),
          about: [tutor.name && tutor.external_id, subjectOf(tutor.subjects)].filter(Boolean).join(" · "),
          aside: freePlaces(tutor.free_capacity),
          tags: <ConcernBadges concerns={tutor.concerns} />,
        }),
      );
  return (
    <PeopleList
      className={classes.tutors}
      title="Tutors"
      nobody="No tutors match the filters, or no predictions yet."
      note={
        isByFit && student.data
          ? `Best for ${studentName(student.data.data)} first, raised concerns last${student.data.data.subjects.length === 0 ? ". The student has no subjects: all tutors match" : ""}`
          : wantsFit && !isPredicted
            ? `No predictions${sharesSubject ? " for these subjects" : ""}; sorted by name`
            : "By name"
      }
      query={query}
      cards={cards}
      total={query.data?.meta.total}
      chosen={search.tutor}
      searched={search.tutorSearch}
      onSearch={(tutorSearch) => onChange({ tutorSearch })}
      onChoose={onChoose}
      filter={
        <div className={classes.filters}>
          <Select
            size="xs"
            label="Subject"
            placeholder={
              student.data
                ? sharesSubject
                  ? "The student's subjects"
                  : "Any subject"
                : "Choose a student first"
            }
            disabled={!student.data}
            clearable
            data={student.data?.data.subjects ?? []}
            value={search.subject ?? null}
            onChange={(subject) => onChange({ subject: subject ?? undefined })}
          />
          <Switch
            size="xs"
            label="Other subjects too"
            disabled={!student.data || search.subject !== undefined}
            checked={!sharesSubject}
            onChange={(event) => onChange({ others: event.currentTarget.checked ? "yes" : undefined })}
          />
          <Switch
            size="xs"
            label="With a free place"
            checked={search.free === "yes"}
            onChange={(event) => onChange({ free: event.currentTarget.checked ? "yes" : undefined })}
          />
        </div>
      }
    />
  );
}
