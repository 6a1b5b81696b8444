import type { AppealSession, Correction, Happened } from "../../lib/api-types";

/** What is done about one session. */
export interface Choice {
  remedy: "excused" | "corrected" | "none";
  /** Of a correction. */
  as?: CorrectedAs;
}
export type Choices = Record<string, Choice>;

/** What a record can be corrected to, so that it no longer counts against the tutor. */
export type CorrectedAs = "held" | "student" | "platform" | "on_time";

export const CORRECTED_AS: Record<CorrectedAs, string> = {
  held: "It took place",
  student: "The student caused it",
  platform: "The platform caused it",
  on_time: "It began on time",
};

/** Which corrections make sense: a move stays a move, whoever asked for it. */
export const correctionsOf = (happened: Happened): CorrectedAs[] => {
  if (happened === "late") return ["on_time"];
  return happened === "moved" ? ["student", "platform"] : ["held", "student", "platform"];
};

/** All sessions of an appeal are excused unless somebody says otherwise; of a concern, none. */
export function firstChoices(sessions: readonly AppealSession[], isConcern: boolean): Choices {
  return Object.fromEntries(
    sessions.map(({ session_id, happened }): [string, Choice] => {
      if (isConcern) return [session_id, { remedy: "none" }];
      return [
        session_id,
        happened === "late" ? { remedy: "corrected", as: "on_time" } : { remedy: "excused" },
      ];
    }),
  );
}

/** Whether it can be sent: something changes, and each correction says to what. */
export function isComplete(
  choices: Choices,
  sessions: readonly AppealSession[],
  isConcern: boolean,
): boolean {
  const chosen = sessions.map(({ session_id }): Choice => choices[session_id] ?? { remedy: "none" });
  const isSaid = chosen.every(({ remedy, as }) => remedy !== "corrected" || as !== undefined);
  return isSaid && (isConcern || chosen.some(({ remedy }) => remedy !== "none"));
}

/** The sessions of a decision, as the API takes them. */
export function decisionOf(choices: Choices): Correction[] {
  return Object.entries(choices).flatMap(([session_id, { remedy, as }]): Correction[] => {
    if (remedy === "none") return [];
    if (remedy === "excused" || as === undefined) return [{ session_id, remedy: "excused" }];
    if (as === "held") return [{ session_id, remedy, status: "completed" }];
    if (as === "on_time") return [{ session_id, remedy, began_on_time: true }];
    return [{ session_id, remedy, caused_by: as }];
  });
}
