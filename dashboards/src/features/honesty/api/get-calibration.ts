import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { HonestySearch } from "../honesty-search";

const calibrationQuery = (search: HonestySearch) =>
  queryOptions({
    queryKey: ["calibration", search],
    queryFn: ({ signal }) => body(api.GET("/api/calibration", { signal, params: { query: search } })),
    placeholderData: keepPreviousData,
  });

/** Forecasts of a year, or some of them, against what came. */
export const useCalibration = (search: HonestySearch) => useQuery(calibrationQuery(search));
