/** Work that its caller may interrupt between its steps; it returns what it has found. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** The result of work that nobody needs to interrupt. */
export function runThrough<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}
