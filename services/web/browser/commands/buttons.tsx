/** Buttons that open a command's dialog; nothing where the role may not use it. */
import type { Ban } from "../api/messages.ts";
import { useApp } from "../app-context.ts";
import { Icon } from "../parts/icon.tsx";
import { AllowDialog } from "./allow-dialog.tsx";
import { BanDialog } from "./ban-dialog.tsx";
import { may } from "./may.ts";
import { UnbanDialog } from "./unban-dialog.tsx";

export function BanButton({ address }: { address?: string }) {
  const { session, show } = useApp();
  if (!may(session.role, "ban", address)) return null;
  return (
    <button
      type="button"
      class="danger"
      onClick={() => show(<BanDialog {...(address !== undefined && { address })} />)}
    >
      <Icon name="ban" /> Ban{address === undefined ? " an address" : ""}
    </button>
  );
}

interface UnbanButtonProps {
  address: string;
  bans: readonly Ban[];
  jail?: string;
  isSmall?: boolean;
}

export function UnbanButton({ isSmall = false, ...dialog }: UnbanButtonProps) {
  const { session, show } = useApp();
  if (!may(session.role, "unban", dialog.address)) return null;
  return (
    <button
      type="button"
      class={isSmall ? "small" : undefined}
      aria-label={`Unban ${dialog.address}`}
      onClick={() => show(<UnbanDialog {...dialog} />)}
    >
      Unban
    </button>
  );
}

export function AllowButton({ address }: { address?: string }) {
  const { session, show } = useApp();
  if (!may(session.role, "allow", address)) return null;
  return (
    <button
      type="button"
      onClick={() => show(<AllowDialog {...(address !== undefined && { address })} />)}
    >
      Allow{address === undefined ? " an address" : ""}
    </button>
  );
}
