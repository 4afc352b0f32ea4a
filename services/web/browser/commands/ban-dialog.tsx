import { useEffect, useState } from "preact/hooks";
import type { Reply, Request } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp } from "../app-context.ts";
import { SelectField, TextField } from "../parts/fields.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Failed } from "../parts/states.tsx";
import { isNetwork, parseAddress, sizeOf } from "../text/addresses.ts";
import { formatDuration, parseDuration } from "../text/durations.ts";
import { count } from "../text/numbers.ts";
import { CommandDialog } from "./command-dialog.tsx";
import { ban } from "./do-ban.ts";

const TERMS = [
  { value: "jail", label: "as long as the jail says" },
  { value: "1h", label: "1 hour" },
  { value: "1d", label: "1 day" },
  { value: "7d", label: "7 days" },
  { value: "ever", label: "for ever" },
  { value: "other", label: "another time …" },
];

const REASONS = ["attacks accounts", "reported by a customer", "abuse of a stolen password"];
const PAUSE_MS = 300;

/** Bans an address or a network, after a look at what would become of it. */
export function BanDialog({ address: given = "" }: { address?: string }) {
  const { client } = useApp();
  const { data: status } = useQuery("status.show", {});
  const [typed, setTyped] = useState(given);
  const [chosenJail, setJail] = useState("");
  const [term, setTerm] = useState("jail");
  const [other, setOther] = useState("");
  const jails = status?.jails ?? [];
  const jail = chosenJail === "" ? (jails[0]?.name ?? "") : chosenJail;
  const address = parseAddress(typed);
  const seconds = secondsOf(term, other);
  const preview = usePreview(address, jail, seconds);
  const isRefused = (preview.data?.refusedCount ?? 0) > 0;
  const bantime = jails.find(({ name }) => name === jail)?.bantime;

  return (
    <CommandDialog
      title={given === "" ? "Ban an address" : `Ban ${given}`}
      action={address !== undefined && isNetwork(address) ? `Ban ${address}` : "Ban"}
      isDangerous
      reasons={REASONS}
      // What is wide is looked at first.
      isReady={
        address !== undefined &&
        jail !== "" &&
        seconds !== "fault" &&
        !isRefused &&
        (!isNetwork(address) || preview.isCurrent)
      }
      run={(reason) =>
        ban(client, {
          ...{ address: address ?? "", jail, reason },
          seconds: seconds === "fault" ? undefined : seconds,
        })
      }
    >
      {given === "" && (
        <AddressField typed={typed} onChange={setTyped} isFault={address === undefined} />
      )}
      <div class="field-row">
        <SelectField
          label="Jail"
          value={jail}
          onChange={setJail}
          choices={jails.map(({ name }) => ({ value: name, label: name }))}
        />
        <SelectField label="For" value={term} onChange={setTerm} choices={TERMS} />
      </div>
      {term === "jail" && bantime !== undefined && (
        <p class="hint">The jail bans for {formatDuration(bantime)}, or longer if it grows.</p>
      )}
      {term === "other" && (
        <TextField
          label="How long"
          value={other}
          onChange={setOther}
          placeholder="90m, 12h, 3d"
          fault={other !== "" && seconds === "fault" ? 'Expected a time such as "90m".' : undefined}
        />
      )}
      {preview.error && <Failed error={preview.error} retry={preview.refresh} />}
      {address !== undefined && preview.data && (
        <BanPreview address={address} preview={preview.data} />
      )}
    </CommandDialog>
  );
}

interface AddressFieldProps {
  typed: string;
  onChange: (typed: string) => void;
  /** Is what was typed no address? */
  isFault: boolean;
}

function AddressField({ typed, onChange, isFault }: AddressFieldProps) {
  return (
    <TextField
      label="Address or network"
      value={typed}
      onChange={onChange}
      isRequired
      isMono
      placeholder="198.51.100.7 or 198.51.100.0/24"
      fault={typed.trim() !== "" && isFault ? "This is no address yet." : undefined}
    />
  );
}

type Seconds = number | null | undefined | "fault";

function secondsOf(term: string, other: string): Seconds {
  if (term === "jail") return undefined;
  if (term === "ever") return null;
  return parseDuration(term === "other" ? other : term) ?? "fault";
}

/** What would become of the ban: asked when somebody stops to type. */
function usePreview(address: string | undefined, jail: string, seconds: Seconds) {
  const [wanted, setWanted] = useState<Request<"ban.import">>();
  useEffect(() => {
    const timer = setTimeout(() => {
      if (address === undefined || jail === "" || seconds === "fault") {
        setWanted(undefined);
        return;
      }
      const row = { address, ...(seconds !== undefined && { seconds }) };
      setWanted({ jail, rows: [row], reason: "", replace: false, dryRun: true, wait: null });
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [address, jail, seconds]);
  return useQuery("ban.import", wanted);
}

interface BanPreviewProps {
  address: string;
  preview: Reply<"ban.import">;
}

function BanPreview({ address, preview }: BanPreviewProps) {
  const within = { within: address, all: false, limit: 1, after: null };
  const { data: inside } = useQuery("ban.list", isNetwork(address) ? within : undefined);
  const [refusal] = preview.refused;
  return (
    <div class={`preview ${refusal ? "refused" : ""}`} role="status">
      {refusal ? (
        <p>
          It will be refused: <Foreign text={refusal.reason} length={300} />
        </p>
      ) : (
        <>
          <p>
            {preview.added > 0
              ? "A new ban, or one with a later end."
              : "It is banned for as long already: nothing would change."}
          </p>
          {isNetwork(address) && (
            <p>
              The network has <strong>{sizeOf(address)}</strong>
              {inside ? `, ${count(inside.total, "ban")} of it in force now` : ""}. Everybody in it
              loses the ports of the jail.
            </p>
          )}
          {preview.divided > 0 && <p>It is banned in parts, around addresses that must not be.</p>}
        </>
      )}
    </div>
  );
}
