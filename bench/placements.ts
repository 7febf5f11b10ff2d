/**
 * Where the ASAs of a benchmark run: `worker`, in an engine-managed worker together with their sessions
 * (`spawnAsa`); `main`, in the main thread with the engine in workers; `inline`, everything in one thread.
 */
export const placements = ['worker', 'main', 'inline'] as const;
export type Placement = (typeof placements)[number];
