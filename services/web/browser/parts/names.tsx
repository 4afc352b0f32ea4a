/** Things that have a page of their own, as links; the maker of a change, the state of a ban. */
import type { Ban } from "../api/messages.ts";
import { useNow } from "../api/use-query.ts";
import { KIND_MEANINGS, KIND_WORDS, kindOf } from "../text/ban-words.ts";
import { Foreign } from "./foreign.tsx";
import { Link } from "./link.tsx";
import { End } from "./time.tsx";

export function AddressName({ address }: { address: string }) {
  return (
    <Link page="address" subject={address} class="mono">
      {address}
    </Link>
  );
}

export function UserName({ user }: { user: string | null }) {
  if (user === null || user === "") return <span class="faint">none named</span>;
  return (
    <span class="user">
      <Link page="account" filters={{ user }}>
        <Foreign text={user.slice(0, 48)} length={48} />
      </Link>
      {user.length > 48 && <Foreign text={user} length={0} />}
    </span>
  );
}

export function HostName({ host }: { host: string }) {
  return (
    <Link page="host" subject={host}>
      {host}
    </Link>
  );
}

export function BanState({ ban, isWithEnd = false }: { ban: Ban; isWithEnd?: boolean }) {
  const now = useNow();
  const kind = kindOf(ban, now);
  const isDue = kind !== "lifted" && kind !== "expired";
  return (
    <span class="ban-state">
      <span class={`badge ${kind}`} title={KIND_MEANINGS[kind]}>
        {KIND_WORDS[kind]}
      </span>
      {isWithEnd && isDue && (
        <span class="faint">
          {ban.until === null ? "" : "ends "}
          <End until={ban.until} />
        </span>
      )}
    </span>
  );
}

/** "DE, AS64496 Example Ltd"; nothing where nothing is known. */
export function About({ about }: { about: string | null | undefined }) {
  return about ? <Foreign text={about} length={48} /> : <span class="faint">—</span>;
}
