import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { StudentPreferences, TutorPreferences } from "../../../lib/api-types";

/** As many as one looks through; a search finds the others. */
export const SHOWN = 50;

/** Which tutors come into question. */
export interface TutorConditions {
  subject?: string;
  hasCapacity?: true;
}

const studentsQuery = (search: string | undefined, needsTutor: true | undefined) =>
  queryOptions({
    queryKey: ["matching", "students", search, needsTutor],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/students", {
          signal,
          params: {
            query: {
              search,
              is_active: true,
              needs_tutor: needsTutor,
              limit: SHOWN,
              // Who has a tutor can wait.
              ...(needsTutor && { sort_by: "urgency_level" as const, sort_order: "desc" as const }),
            },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });

const studentQuery = (studentId: string | undefined) =>
  queryOptions({
    queryKey: ["matching", "student", studentId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/students/{student_id}", {
          signal,
          params: { path: { student_id: studentId ?? "" } },
        }),
      ),
    enabled: studentId !== undefined,
  });

const tutorsQuery = (search: string | undefined, { subject, hasCapacity }: TutorConditions) =>
  queryOptions({
    queryKey: ["matching", "tutors", search, subject, hasCapacity],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/tutors", {
          signal,
          params: { query: { search, subject, is_active: true, has_capacity: hasCapacity, limit: SHOWN } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

const tutorQuery = (tutorId: string | undefined) =>
  queryOptions({
    queryKey: ["matching", "tutor", tutorId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/tutors/{tutor_id}", { signal, params: { path: { tutor_id: tutorId ?? "" } } }),
      ),
    enabled: tutorId !== undefined,
  });

export const useStudents = (search: string | undefined, needsTutor: true | undefined) =>
  useQuery(studentsQuery(search, needsTutor));
export const useStudent = (studentId?: string) => useQuery(studentQuery(studentId));
export const useMatchTutors = (search: string | undefined, conditions: TutorConditions) =>
  useQuery(tutorsQuery(search, conditions));
export const useMatchTutor = (tutorId?: string) => useQuery(tutorQuery(tutorId));

/** Change what a student or a tutor prefers; their predictions follow at once. */
export function useChangeStudent(studentId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (patch: StudentPreferences) =>
      body(
        api.PATCH("/api/matching/students/{student_id}", {
          params: { path: { student_id: studentId } },
          body: patch,
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["matching"] }),
  });
}

export function useChangeTutor(tutorId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (patch: TutorPreferences) =>
      body(
        api.PATCH("/api/matching/tutors/{tutor_id}", {
          params: { path: { tutor_id: tutorId } },
          body: patch,
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["matching"] }),
  });
}
