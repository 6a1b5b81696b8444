interface Answer {
  meta: { generation: number; refreshed_at: string };
}

/** Names one state of the scores: each run makes another one, and so does each session that is posted. */
export const versionOf = ({ generation, refreshed_at }: Answer["meta"]): string =>
  `${generation} ${refreshed_at}`;

/** After so many tries they are shown as they are: where posts come that quickly, they differ by one of them. */
const TRIES = 3;

/** Answers that belong together, asked for again if scores changed between one and the other. */
export async function ofOneVersion<Answers extends readonly Answer[]>(
  ask: () => Promise<Answers>,
): Promise<Answers> {
  for (let tries = 1; ; tries++) {
    const answers = await ask();
    const versions = new Set(answers.map(({ meta }) => versionOf(meta)));
    if (versions.size === 1 || tries === TRIES) return answers;
  }
}
