/**
 * What `ban import` and `allow import` do in the same order: show what the list would change, ask,
 * and change it. What the coordinator leaves out is shown once.
 */
import { confirm, type AskingContext } from "../confirm.ts";
import type { ImportOptions } from "./import-options.ts";
import { noteRefused, type Outcome } from "./send-list.ts";

export interface ImportSteps<R extends Outcome> {
  /** Names the command in front of errors and questions. */
  where: "ban import" | "allow import";
  /** Sends the whole list; with `dryRun` nothing is changed. */
  send: (dryRun: boolean) => Promise<R>;
  /** "3 networks: 3 would be banned". */
  describePreview: (preview: R) => string;
  /** What the operator is asked about: "3 bans would be made". */
  question: (preview: R) => string;
  printJson: (reply: R) => void;
}

/** undefined: nothing was changed, and everything is said. */
export async function runImport<R extends Outcome>(
  context: AskingContext,
  { json, dryRun, yes }: ImportOptions,
  { where, send, describePreview, question, printJson }: ImportSteps<R>,
): Promise<R | undefined> {
  const { output } = context;
  if (dryRun || !yes) {
    const preview = await send(true);
    noteRefused(context, preview);
    if (dryRun && json) printJson(preview);
    else output.line(describePreview(preview));
    if (dryRun) return undefined;
    if (preview.added === 0) {
      output.line("there is nothing to do");
      return undefined;
    }
    await confirm(context, where, question(preview));
  }
  const reply = await send(false);
  if (yes) noteRefused(context, reply);
  if (json) printJson(reply);
  return reply;
}
