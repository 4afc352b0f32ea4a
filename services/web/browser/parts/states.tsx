import type { ComponentChildren } from "preact";
import type { RequestError } from "../api/client.ts";
import { Foreign } from "./foreign.tsx";
import { Icon } from "./icon.tsx";

/** The place of something that is on its way. */
export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      <span class="spinner" aria-hidden="true" />
      reading {what} …
    </p>
  );
}

export function Failed({ error, retry }: { error: RequestError; retry?: () => void }) {
  return (
    <div class="callout bad" role="alert">
      <Icon name="alert" />
      <p>
        <Foreign text={error.message} length={400} />
      </p>
      {retry && <TryAgain retry={retry} />}
    </div>
  );
}

/** What is seen instead of a list that has nothing. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty-box">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

interface StaleProps {
  reason: string | null | undefined;
  retry: () => void;
}

/** The answer may be old or incomplete, and why. */
export function Stale({ reason, retry }: StaleProps) {
  if (!reason) return null;
  return (
    <div class="callout warn" role="status">
      <Icon name="clock" />
      <p>
        This answer may be old or incomplete: <Foreign text={reason} length={300} />. Bans go on.
      </p>
      <TryAgain retry={retry} />
    </div>
  );
}

function TryAgain({ retry }: { retry: () => void }) {
  return (
    <button type="button" onClick={retry}>
      Try again
    </button>
  );
}
