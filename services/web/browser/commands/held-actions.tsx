import type { Ban } from "../api/messages.ts";
import { useApp } from "../app-context.ts";
import { ManyDialog, type ManyVerb } from "./many-dialog.tsx";
import { may } from "./may.ts";

/** The commands for one held ban. */
export function HeldActions({ ban: { jail, address } }: { ban: Ban }) {
  const { session, show } = useApp();
  if (!may(session.role, "held")) return null;
  const open = (verb: ManyVerb) =>
    show(
      <ManyDialog
        verb={verb}
        selection={{ jail, within: address }}
        what={`of ${address} in ${jail}`}
      />,
    );
  return (
    <div class="buttons">
      <button type="button" onClick={() => open("release")}>
        Release
      </button>
      <button type="button" onClick={() => open("discard")}>
        Discard
      </button>
    </div>
  );
}
