interface WhatIfSearch {
  /** The question whose answer is shown. */
  answer?: string;
}

export const whatIfSearch = (search: Record<string, unknown>): WhatIfSearch =>
  typeof search.answer === "string" ? { answer: search.answer } : {};
