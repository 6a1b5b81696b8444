import { useMutation } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { AssignmentRequest } from "../../../lib/api-types";

/** Who should teach whom; nothing is stored. */
export const useAssignment = () =>
  useMutation({
    mutationFn: (wanted: AssignmentRequest) => body(api.POST("/api/matching/assignments", { body: wanted })),
  });
