import { useState } from "preact/hooks";
import type { Allowed } from "../api/messages.ts";
import type { Client } from "../api/client.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, type Notice } from "../app-context.ts";
import { SelectField, TextField } from "../parts/fields.tsx";
import { isNetwork, parseAddress, sizeOf } from "../text/addresses.ts";
import { count } from "../text/numbers.ts";
import { CommandDialog } from "./command-dialog.tsx";
import { undone } from "./do-ban.ts";
import { may, SUPPORT_SECONDS } from "./may.ts";

const TERMS = [
  { value: "3600", label: "1 hour" },
  { value: "86400", label: "1 day" },
  { value: String(SUPPORT_SECONDS), label: "7 days" },
  { value: "2592000", label: "30 days" },
  { value: "", label: "until somebody removes it" },
];
const REMOVAL_REASONS = ["it is no longer ours", "the work there is done"];
const REASONS = ["our own office", "a customer’s office", "a monitoring system"];

/** Puts an address on the allowlist. */
export function AllowDialog({ address: given = "" }: { address?: string }) {
  const { client, session } = useApp();
  const { data: status } = useQuery("status.show", {});
  const [typed, setTyped] = useState(given);
  const [term, setTerm] = useState("86400");
  const [jail, setJail] = useState("");
  const [label, setLabel] = useState("");
  const address = parseAddress(typed);
  const isUnlimited = may(session.role, "allow-for-ever");
  const isPermitted = address !== undefined && may(session.role, "allow", address);
  const question = address === undefined ? undefined : { address, all: false, limit: 1 };
  const covered = useQuery("ban.list", question && { ...question, after: null });
  const terms = isUnlimited ? TERMS : TERMS.filter(({ value }) => isForSupport(value));

  return (
    <CommandDialog
      title={given === "" ? "Allow an address" : `Allow ${given}`}
      action="Allow"
      reasons={REASONS}
      isReady={isPermitted && (!isNetwork(address) || covered.isCurrent)}
      run={(comment) =>
        allow(
          client,
          {
            ...{ address: address ?? "", comment },
            ...(term !== "" && { seconds: Number(term) }),
            ...(jail !== "" && { jail }),
            ...(label.trim() !== "" && { label: label.trim() }),
          },
          may(session.role, "allow-remove"),
        )
      }
    >
      {given === "" && (
        <TextField
          label="Address or network"
          value={typed}
          onChange={setTyped}
          isRequired
          isMono
          placeholder="203.0.113.7"
          fault={faultOf(typed, address, isPermitted)}
        />
      )}
      <div class="field-row">
        <SelectField label="For" value={term} onChange={setTerm} choices={terms} />
        {isUnlimited && (
          <SelectField
            label="In"
            value={jail}
            onChange={setJail}
            choices={[
              { value: "", label: "every jail" },
              ...(status?.jails ?? []).map(({ name }) => ({ value: name, label: name })),
            ]}
          />
        )}
      </div>
      {isUnlimited && (
        <TextField
          label="Label"
          value={label}
          onChange={setLabel}
          hint="A word by which entries of one kind are found again; it may stay empty."
        />
      )}
      {address !== undefined && covered.data && (
        <AllowPreview address={address} bans={covered.data.total} />
      )}
    </CommandDialog>
  );
}

/** What would become of the bans of the address. */
function AllowPreview({ address, bans }: { address: string; bans: number }) {
  return (
    <div class="preview" role="status">
      {isNetwork(address) && (
        <p>
          The network has <strong>{sizeOf(address)}</strong>: none of them is banned by itself any
          more.
        </p>
      )}
      <p>{bans === 0 ? "No ban is in force on it." : `${count(bans, "ban")} will be lifted.`}</p>
    </div>
  );
}

const isForSupport = (term: string): boolean => term !== "" && Number(term) <= SUPPORT_SECONDS;

function faultOf(
  typed: string,
  address: string | undefined,
  isPermitted: boolean,
): string | undefined {
  if (typed.trim() === "") return undefined;
  if (address === undefined) return "This is no address yet.";
  return isPermitted ? undefined : "Networks are for operators.";
}

interface AllowOrder {
  address: string;
  comment: string;
  seconds?: number;
  jail?: string;
  label?: string;
}

async function allow(client: Client, order: AllowOrder, mayUndo: boolean): Promise<Notice> {
  const { address, jail, comment } = order;
  const { changed, liftedCount, pending } = await client.ask("allow.add", order);
  if (!changed) return { kind: "done", text: `${address} is on the allowlist already` };
  const lifted = liftedCount + pending;
  const bans = lifted === 0 ? "" : `; ${count(lifted, "ban")} lifted`;
  const text = `${address} is on the allowlist${bans}`;
  if (!mayUndo) return { kind: "done", text };
  const entry = { address, ...(jail !== undefined && { jail }) };
  return {
    ...{ kind: "done", text },
    undo: {
      label: "Undo",
      async run() {
        await client.ask("allow.remove", { ...entry, reason: undone(comment) });
        return `${address} is off the allowlist again`;
      },
    },
  };
}

/** Takes an entry off the allowlist. */
export function DisallowDialog({ entry }: { entry: Allowed }) {
  const { client } = useApp();
  const { address, jail } = entry;
  return (
    <CommandDialog
      title={`Remove ${address} from the allowlist`}
      action="Remove"
      isDangerous
      reasons={REMOVAL_REASONS}
      run={(reason) => disallow(client, entry, reason)}
    >
      <p>
        Failures of {address}
        {jail === undefined ? "" : ` in jail ${jail}`} bring bans again. Bans that the entry has
        lifted, and whose time is not over, come back.
      </p>
    </CommandDialog>
  );
}

async function disallow(client: Client, entry: Allowed, reason: string): Promise<Notice> {
  const { address, jail, comment, label, until } = entry;
  const which = { address, ...(jail !== undefined && { jail }) };
  const { backCount = 0, pending = 0 } = await client.ask("allow.remove", { ...which, reason });
  const back = backCount + pending;
  const bans = back === 0 ? "" : `; ${count(back, "ban")} back in force`;
  return {
    kind: "done",
    text: `${address} is off the allowlist${bans}`,
    undo: {
      label: "Undo",
      async run() {
        const left = until === undefined ? undefined : (Date.parse(until) - Date.now()) / 1000;
        await client.ask("allow.add", {
          ...{ ...which, comment },
          ...(left !== undefined && { seconds: Math.max(Math.round(left), 1) }),
          ...(label !== undefined && { label }),
        });
        return `${address} is on the allowlist again`;
      },
    },
  };
}
