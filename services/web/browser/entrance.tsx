/** Before the app: is somebody logged in? Nobody, a person with a link, or a session that goes on. */
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { createClient, RequestError, type Session } from "./api/client.ts";
import { requestErrorOf } from "./api/use-query.ts";
import { Shell } from "./shell.tsx";
import { LoginPage } from "./pages/login-page.tsx";
import { Failed, Loading } from "./parts/states.tsx";
import { parseRoute } from "./router.ts";

type Entry =
  | { phase: "asking" }
  /** `reason`: why the last session or link is of no use; undefined: there was none. */
  | { phase: "signed-out"; ways: readonly string[]; reason?: string }
  | { phase: "signed-in"; session: Session }
  | { phase: "failed"; error: RequestError };

/** The token of a link stands behind "#", where no server and no log sees it. */
function takeToken(base: string): string | undefined {
  const path = location.pathname.slice(base.length);
  const token = location.hash.slice(1);
  if (parseRoute(path, "")?.page !== "login" || token === "") return undefined;
  // Nobody finds the link again with the browser’s "back".
  history.replaceState(null, "", `${base}/`);
  return token;
}

export function Entrance({ base }: { base: string }) {
  const { entry, client, enter, onSignedOut } = useEntry(base);

  switch (entry.phase) {
    case "asking":
      return (
        <main class="alone">
          <Loading what="who you are" />
        </main>
      );
    case "failed":
      return (
        <main class="alone">
          <h1>fleetban</h1>
          <Failed error={entry.error} retry={() => void enter(undefined)} />
        </main>
      );
    case "signed-out":
      return (
        <LoginPage
          base={base}
          ways={entry.ways}
          reason={entry.reason}
          retry={() => void enter(undefined)}
        />
      );
    case "signed-in":
      return (
        <Shell base={base} client={client} session={entry.session} onSignedOut={onSignedOut} />
      );
  }
}

/** Enters with the session of the browser, or with a link. */
function useEntry(base: string) {
  const [entry, setEntry] = useState<Entry>({ phase: "asking" });
  const onSignedOut = useCallback((error: RequestError) => {
    setEntry((before) => {
      const reason = before.phase === "signed-in" ? { reason: error.message } : {};
      return { phase: "signed-out", ways: error.ways, ...reason };
    });
  }, []);
  const client = useMemo(() => createClient({ base, onSignedOut }), [base, onSignedOut]);

  const enter = useCallback(
    async (token: string | undefined) => {
      try {
        const session = token === undefined ? await client.session() : await client.logIn(token);
        setEntry({ phase: "signed-in", session });
      } catch (caught) {
        const error = requestErrorOf(caught);
        if (error.status !== 401 && error.status !== 400) setEntry({ phase: "failed", error });
        else if (token === undefined) setEntry({ phase: "signed-out", ways: error.ways });
        else setEntry({ phase: "signed-out", ways: error.ways, reason: error.message });
      }
    },
    [client],
  );

  useEffect(() => {
    void enter(takeToken(base));
    // Another link may be opened in the tab that shows the login page.
    const onHash = () => {
      const token = takeToken(base);
      if (token !== undefined) void enter(token);
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, [base, enter]);

  return { entry, client, enter, onSignedOut };
}
