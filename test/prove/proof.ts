/** What a long proof is: a seeded function that throws when the property does not hold. */
export interface ProofOptions {
  seed: number;
  runs: number;
  log: (line: string) => void;
}

export interface Proof {
  /** What holds if it passes, one sentence. */
  claim: string;
  /** How many runs the full proof has. */
  runs: number;
  /** Runs of one resumable part; a part's seed is the seed plus its number. */
  runsPerPart: number;
  /** One line with the figures. */
  run: (options: ProofOptions) => Promise<string>;
}
