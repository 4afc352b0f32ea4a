import { useState } from "preact/hooks";
import type { Client } from "../api/client.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, type Notice } from "../app-context.ts";
import { CheckField } from "../parts/fields.tsx";
import { describeMany } from "../text/ban-words.ts";
import { count } from "../text/numbers.ts";
import { CommandDialog } from "./command-dialog.tsx";
import { undone } from "./do-ban.ts";

const REASONS = ["the host may be taken over", "its log is wrong", "maintenance"];

/** What the host reports does not count any more. */
export function QuarantineDialog({ host }: { host: string }) {
  const { client } = useApp();
  const [isLifting, setIsLifting] = useState(false);
  const selection = { causedBy: host, alone: true };
  const preview = useQuery("ban.lift", { selection, dryRun: true, reason: "" });
  const alone = preview.data?.matched ?? 0;
  return (
    <CommandDialog
      title={`Put ${host} into quarantine`}
      action="Put into quarantine"
      isDangerous
      reasons={REASONS}
      isReady={preview.isCurrent}
      run={(reason) => quarantine(client, { host, reason, isLifting: isLifting && alone > 0 })}
    >
      <p>
        Its failures do not count any more, so it can cause no ban. It goes on to enforce the bans
        of the fleet.
      </p>
      <div class="preview" role="status">
        <p>
          {preview.data
            ? `${count(alone, "ban")} in force ${alone === 1 ? "rests" : "rest"} on failures of this host alone.`
            : "looking for bans that rest on this host alone …"}
        </p>
      </div>
      {alone > 0 && (
        <CheckField
          label={`and lift ${alone === 1 ? "this ban" : `these ${count(alone, "ban")}`}, which cannot be undone`}
          isChecked={isLifting}
          onChange={setIsLifting}
        />
      )}
    </CommandDialog>
  );
}

interface QuarantineOrder {
  host: string;
  reason: string;
  isLifting: boolean;
}

async function quarantine(client: Client, order: QuarantineOrder): Promise<Notice> {
  const { host, reason, isLifting } = order;
  const { changed } = await client.ask("host.quarantine", { host, undo: false, reason });
  if (!changed) return { kind: "done", text: `${host} is in quarantine already` };
  let lifted = "";
  if (isLifting) {
    const selection = { causedBy: host, alone: true };
    const reply = await client.ask("ban.lift", { selection, dryRun: false, reason });
    lifted = `; ${describeMany(reply, "lifted")}`;
  }
  return {
    kind: "done",
    text: `${host} is in quarantine${lifted}`,
    undo: {
      label: "Undo",
      run: () => endQuarantine(client, host, undone(reason)),
    },
  };
}

async function endQuarantine(client: Client, host: string, reason: string): Promise<string> {
  await client.ask("host.quarantine", { host, undo: true, reason });
  return `failures of ${host} count again`;
}

export function EndQuarantineDialog({ host }: { host: string }) {
  const { client } = useApp();
  return (
    <CommandDialog
      title={`End the quarantine of ${host}`}
      action="End the quarantine"
      reasons={["the host is in order again"]}
      run={async (reason) => ({
        kind: "done",
        text: await endQuarantine(client, host, reason),
        undo: {
          label: "Undo",
          async run() {
            const order = { host, undo: false, reason: undone(reason) };
            await client.ask("host.quarantine", order);
            return `${host} is in quarantine again`;
          },
        },
      })}
    >
      <p>What the host reports from now on counts again.</p>
    </CommandDialog>
  );
}
