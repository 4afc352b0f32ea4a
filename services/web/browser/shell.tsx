/** The frame of every page: navigation, search, who is logged in, dialogs and notices. */
import type { ComponentChild } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { AppContext, type App, type Notice } from "./app-context.ts";
import type { Client, Session } from "./api/client.ts";
import { RequestError } from "./api/client.ts";
import { createFeed } from "./api/feed.ts";
import { PageOf, titleOf } from "./pages/pages.tsx";
import { Icon } from "./parts/icon.tsx";
import { Link } from "./parts/link.tsx";
import { Notices, type ShownNotice } from "./parts/notices.tsx";
import { SearchBox } from "./parts/search-box.tsx";
import { parseRoute, pathOf, type PageName, type Route } from "./router.ts";
import { describeZone } from "./text/instants.ts";
import { savedTheme, saveTheme, THEMES } from "./theme.ts";

interface ShellProps {
  base: string;
  client: Client;
  session: Session;
  onSignedOut: (error: RequestError) => void;
}

const NAVIGATION: readonly (readonly [page: PageName, title: string, also: readonly PageName[]])[] =
  [
    ["now", "Now", []],
    ["bans", "Bans", ["address"]],
    ["failures", "Failures", ["account"]],
    ["hosts", "Hosts", ["host"]],
    ["allowlist", "Allowlist", []],
    ["policy", "Policy", []],
    ["audit", "Audit", []],
  ];

export function Shell({ base, client, session, onSignedOut }: ShellProps) {
  const [dialog, show] = useState<ComponentChild>();
  const closeDialog = useCallback(() => show(undefined), []);
  const { route, go } = useRoute(base, closeDialog);
  const { notices, notify, forget } = useNotices();
  const [changes, setChanges] = useState(0);
  const changed = useCallback(() => setChanges((before) => before + 1), []);
  const feed = useFeed({ base, client, onSignedOut });
  const logOut = useCallback(() => {
    void client
      .logOut()
      .catch(() => {})
      .then(() => onSignedOut(new RequestError("You are logged out.", { status: 401 })));
  }, [client, onSignedOut]);
  const place = `${route?.page} ${route?.subject}`;
  const main = useFocusOnMove(place);

  const shownRoute: Route = route ?? { page: "now", subject: "", filters: {} };
  const app: App = {
    ...{ base, session, client, feed, route: shownRoute, changes },
    ...{ go, notify, changed, show, logOut },
  };
  return (
    <AppContext.Provider value={app}>
      <a class="skip" href="#content" onClick={(event) => skip(event, main.current)}>
        Skip to the content
      </a>
      <header class="top">
        <Link page="now" class="brand">
          <Icon name="shield" /> fleetban
        </Link>
        <SearchBox />
        <AccountMenu app={app} />
      </header>
      <Navigation route={route} />
      <main id="content" ref={main} tabIndex={-1}>
        <PageOf key={place} route={route} />
        <footer class="zone">{describeZone(Date.now())}</footer>
      </main>
      {dialog}
      <Notices notices={notices} forget={forget} />
    </AppContext.Provider>
  );
}

/** The page that the address bar shows, and the way to another one. */
function useRoute(base: string, onGo: () => void) {
  const [route, setRoute] = useState(() => routeOf(base));

  useEffect(() => {
    const onMove = () => setRoute(routeOf(base));
    addEventListener("popstate", onMove);
    return () => removeEventListener("popstate", onMove);
  }, [base]);

  useEffect(() => {
    document.title = `${titleOf(route)} – fleetban`;
  }, [route]);

  const go = useCallback<App["go"]>(
    (page, subject = "", filters = {}, { replace } = { replace: false }) => {
      const url = base + pathOf(page, subject, filters);
      if (replace) history.replaceState(null, "", url);
      else history.pushState(null, "", url);
      setRoute({ page, subject, filters });
      onGo();
      if (!replace) scrollTo(0, 0);
    },
    [base, onGo],
  );
  return { route, go };
}

/** The element that gets the focus when the place changes, for somebody who cannot see the page. */
function useFocusOnMove(place: string) {
  const element = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) element.current?.focus();
    isFirst.current = false;
  }, [place]);
  return element;
}

function useNotices() {
  const [notices, setNotices] = useState<readonly ShownNotice[]>([]);
  const lastId = useRef(0);
  const notify = useCallback((notice: Notice) => {
    lastId.current += 1;
    const id = lastId.current;
    setNotices((before) => [...before.slice(-3), { ...notice, id }]);
  }, []);
  const forget = useCallback(
    (id: number) => setNotices((before) => before.filter((notice) => notice.id !== id)),
    [],
  );
  return { notices, notify, forget };
}

/** News of the fleet. Where they stop coming, the session may have ended. */
function useFeed({ base, client, onSignedOut }: Omit<ShellProps, "session">) {
  return useMemo(
    () =>
      createFeed(base, () => {
        client.session().then(
          () => {},
          (error: unknown) => {
            if (error instanceof RequestError && error.status === 401) onSignedOut(error);
          },
        );
      }),
    [base, client, onSignedOut],
  );
}

function Navigation({ route }: { route: Route | undefined }) {
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the links are a row that is wider than the window.
    const current = element.current?.querySelector("[aria-current]");
    current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [route?.page]);
  return (
    <nav aria-label="Pages" ref={element}>
      <ul>
        {NAVIGATION.map(([page, title, also]) => (
          <li>
            <Link page={page} isCurrent={route?.page === page || isOneOf(route, also)}>
              {title}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

const routeOf = (base: string): Route | undefined => {
  const route = parseRoute(location.pathname.slice(base.length), location.search);
  // Somebody who is logged in has no business on the login page.
  return route?.page === "login" ? { page: "now", subject: "", filters: {} } : route;
};

const isOneOf = (route: Route | undefined, pages: readonly PageName[]): boolean =>
  route !== undefined && pages.includes(route.page);

function skip(event: Event, main: HTMLElement | null): void {
  event.preventDefault();
  main?.focus();
}

function AccountMenu({ app: { session, logOut } }: { app: App }) {
  const [theme, setTheme] = useState(savedTheme);
  return (
    <details class="menu">
      <summary>
        <span class="menu-name">{session.name}</span>
        <span class="role">{session.role}</span>
        <Icon name="down" />
      </summary>
      <div class="menu-box">
        <p>
          Logged in as <strong>{session.name}</strong>, {session.role}.
        </p>
        <fieldset>
          <legend>Colours</legend>
          {THEMES.map((choice) => (
            <label class="check">
              <input
                type="radio"
                name="theme"
                checked={choice === theme}
                onChange={() => {
                  setTheme(choice);
                  saveTheme(choice);
                }}
              />
              {choice === "system" ? "as the system has it" : choice}
            </label>
          ))}
        </fieldset>
        <p class="faint">fleetban {session.version}</p>
        <button type="button" onClick={logOut}>
          Log out
        </button>
      </div>
    </details>
  );
}
