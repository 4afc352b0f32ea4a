/** Commands on many bans: first a look at what is meant, then the command for exactly that. */
import type { Client } from "../api/client.ts";
import type { BanSelection, ManyBans } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, type Notice } from "../app-context.ts";
import { Foreign } from "../parts/foreign.tsx";
import { Failed, Loading } from "../parts/states.tsx";
import { describeMany } from "../text/ban-words.ts";
import { count, formatNumber } from "../text/numbers.ts";
import { CommandDialog } from "./command-dialog.tsx";
import { undone } from "./do-ban.ts";

export type ManyVerb = "lift" | "release" | "discard";

const WORDS = {
  lift: { title: "Lift bans", action: "Lift", done: "lifted", will: "will be lifted" },
  release: {
    title: "Release held bans",
    action: "Release",
    done: "released",
    will: "will be in force on every host",
  },
  discard: {
    title: "Discard held bans",
    action: "Discard",
    done: "discarded",
    will: "will be dropped",
  },
} as const;

interface ManyDialogProps {
  verb: ManyVerb;
  selection: BanSelection;
  /** What is selected, in words: "of jail dovecot". */
  what: string;
}

export function ManyDialog({ verb, selection, what }: ManyDialogProps) {
  const { client, session } = useApp();
  const words = WORDS[verb];
  const preview = useQuery(`ban.${verb}`, { selection, dryRun: true, reason: "" });
  const matched = preview.data?.matched ?? 0;
  return (
    <CommandDialog
      title={words.title}
      action={`${words.action} ${count(matched, "ban")}`}
      isDangerous={verb !== "release"}
      isReady={preview.isCurrent && matched > 0}
      run={(reason) => {
        const order = { verb, selection, reason, asOf: preview.data?.asOf ?? "" };
        if (verb === "release") return release(client, order, session.name);
        return Promise.resolve(later(client, order, matched));
      }}
    >
      <p>
        Bans <Foreign text={what} />:
      </p>
      {preview.error && <Failed error={preview.error} retry={preview.refresh} />}
      {preview.data ? (
        <ManyPreview preview={preview.data} will={words.will} />
      ) : (
        !preview.error && <Loading what="what would be changed" />
      )}
    </CommandDialog>
  );
}

function ManyPreview({ preview, will }: { preview: ManyBans; will: string }) {
  const { matched, spared, ordered = 0, held = 0, byJail, byHost, byMaker } = preview;
  return (
    <div class="preview" role="status">
      <p>
        <strong>{count(matched, "ban")}</strong> {will}.
      </p>
      {spared > 0 && (
        <p>{count(spared, "ban stays", "bans stay")} held: allowed, or machines of the fleet.</p>
      )}
      {held > 0 && <p>{count(held, "held ban stays", "held bans stay")} held.</p>}
      {ordered > 0 && (
        <p>{count(ordered, "ban stays", "bans stay")} as an operator has commanded.</p>
      )}
      <Numbers title="by jail" rows={byJail} />
      <Numbers title="by host" rows={byHost} />
      <Numbers title="by maker" rows={byMaker} />
      <p class="mono first">
        {preview.bans
          .slice(0, 8)
          .map(({ address }) => address)
          .join("  ")}
        {matched > 8 ? "  …" : ""}
      </p>
    </div>
  );
}

function Numbers({ title, rows }: { title: string; rows: ManyBans["byJail"] }) {
  if (rows.length === 0) return null;
  return (
    <p class="faint">
      {title}:{" "}
      {rows.slice(0, 6).map(({ name, bans }, index) => (
        <span>
          {index > 0 && ", "}
          <Foreign text={name} length={32} /> {formatNumber(bans)}
        </span>
      ))}
    </p>
  );
}

interface ManyOrder {
  verb: ManyVerb;
  selection: BanSelection;
  reason: string;
  /** Bans that were changed after the preview are left alone. */
  asOf: string;
}

async function release(client: Client, order: ManyOrder, name: string): Promise<Notice> {
  const { selection, reason, asOf } = order;
  const reply = await client.ask("ban.release", { selection, dryRun: false, asOf, reason });
  return {
    kind: "done",
    text: describeMany(reply, "released"),
    undo: {
      label: "Undo",
      async run() {
        const released = { ...selection, by: name, since: asOf };
        const lift = { selection: released, dryRun: false, reason: undone(reason), immunity: 0 };
        return describeMany(await client.ask("ban.lift", lift), "in force nowhere again");
      },
    },
  };
}

/** What cannot be taken back begins after ten seconds. */
function later(client: Client, order: ManyOrder, matched: number): Notice {
  const { verb, selection, reason, asOf } = order;
  const words = WORDS[verb];
  return {
    kind: "waiting",
    text: `${count(matched, "ban")} will be ${words.done} in ten seconds; keep this page open`,
    later: {
      label: words.action,
      async run() {
        const request = { selection, dryRun: false, asOf, reason };
        const reply = await client.ask(`ban.${verb}`, request);
        return { kind: "done", text: describeMany(reply, words.done) };
      },
    },
  };
}
