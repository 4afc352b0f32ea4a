import { useState } from "preact/hooks";
import type { Ban } from "../api/messages.ts";
import { useApp } from "../app-context.ts";
import { CheckField, SelectField } from "../parts/fields.tsx";
import { CommandDialog } from "./command-dialog.tsx";
import { unban } from "./do-ban.ts";
import { may } from "./may.ts";

const DAY_SECONDS = 86_400;
const REASONS = ["the customer has corrected the password", "banned by mistake", "our own office"];

interface UnbanDialogProps {
  address: string;
  /** Where it is banned. */
  bans: readonly Ban[];
  jail?: string;
}

export function UnbanDialog({ address, bans, jail: given = "" }: UnbanDialogProps) {
  const { client, session } = useApp();
  const [jail, setJail] = useState(given);
  const [isAllowed, setIsAllowed] = useState(false);
  const jails = [...new Set(bans.map((ban) => ban.jail))];
  return (
    <CommandDialog
      title={`Unban ${address}`}
      action={isAllowed ? "Unban and allow" : "Unban"}
      reasons={REASONS}
      run={(reason) =>
        unban(
          client,
          {
            ...{ address, reason, jail: jail === "" ? undefined : jail },
            allowSeconds: isAllowed ? DAY_SECONDS : undefined,
          },
          may(session.role, "ban"),
        )
      }
    >
      {jails.length > 1 && (
        <SelectField
          label="In"
          value={jail}
          onChange={setJail}
          choices={[
            { value: "", label: "every jail" },
            ...jails.map((name) => ({ value: name, label: name })),
          ]}
        />
      )}
      {may(session.role, "allow", address) && (
        <CheckField
          label="and allow it for a day: it is not banned again, whatever it does"
          isChecked={isAllowed}
          onChange={setIsAllowed}
        />
      )}
      {!isAllowed && (
        <p class="hint">Its failures do not count for the jail’s findtime; then they do again.</p>
      )}
    </CommandDialog>
  );
}
