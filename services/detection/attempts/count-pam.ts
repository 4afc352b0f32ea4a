/** How many attempts a PAM module's line adds. */
import type { CountedLine, LedgerState } from "./ledger-state.ts";
import { PAM_HELD_MS } from "./pam-behavior.ts";

export function countPam(state: LedgerState, { reading, source, at, readAt }: CountedLine): number {
  const { pam, untied, provisional } = state;
  const { address, user = "", attempts, refusedBy: module = "", isUnknownHere } = reading;
  if (address === undefined) return 0;
  const line = { address, user, at, source, module, isUnknownHere };
  let added = 0;
  for (let each = 0; each < attempts; each += 1) {
    const verdict = pam.judge(line);
    const attempt = verdict === "not" ? undefined : untied.pamTells(line);
    if (!attempt) continue;
    added += 1;
    if (verdict === "held") provisional.add(attempt, readAt + PAM_HELD_MS);
  }
  return added;
}
