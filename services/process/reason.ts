/** The text of an error, for people to read. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
