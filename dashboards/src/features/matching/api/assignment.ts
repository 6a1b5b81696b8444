import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { Assignment, AssignmentRequest } from "../../../lib/api-types";

/** Who should teach whom; nothing is stored. */
export const useAssignment = () =>
  useMutation({
    mutationFn: (wanted: AssignmentRequest) => body(api.POST("/api/matching/assignments", { body: wanted })),
  });

interface Accepted {
  assignment: Assignment;
  asked: AssignmentRequest;
}

/** Note the pairs of an assignment as offers that were accepted. */
export function useAcceptAssignment() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ assignment, asked }: Accepted) =>
      body(
        api.POST("/api/matching/assignments/accept", {
          body: {
            plan_id: assignment.plan_id,
            model_version: assignment.model_version,
            exploration_share: asked.exploration_share,
            seed: asked.seed,
            default_capacity: asked.default_capacity,
            capacities: asked.capacities,
            pairs: assignment.pairs.map(({ student_id, tutor_id, churn_probability, is_fixed }) => ({
              student_id,
              tutor_id,
              churn_probability,
              is_fixed,
            })),
          },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["matching"] }),
  });
}
