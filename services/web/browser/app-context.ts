/** What every part of the page can reach: the session, the way to the server, navigation, commands. */
import { createContext, type ComponentChild } from "preact";
import { useContext } from "preact/hooks";
import type { Client, Session } from "./api/client.ts";
import type { Feed } from "./api/feed.ts";
import type { Filters, PageName, Route } from "./router.ts";

/** What a finished command tells, at the lower edge of the page. */
export interface Notice {
  kind: "done" | "failed" | "waiting";
  text: string;
  /** What keeps it from being in force everywhere. */
  faults?: readonly string[];
  /** Offered for ten seconds. */
  undo?: { label: string; run: () => Promise<string> };
  /** Begins after ten seconds, unless it is undone: for what cannot be taken back. */
  later?: { label: string; run: () => Promise<Notice> };
}

export interface App {
  /** "" or "/fleetban". */
  base: string;
  session: Session;
  client: Client;
  feed: Feed;
  route: Route;
  /** Goes up with every command of this page, so that lists are read again. */
  changes: number;
  /** Another page, or other filters of this one; `replace`: without an entry in the history. */
  go: (page: PageName, subject?: string, filters?: Filters, options?: { replace: boolean }) => void;
  notify: (notice: Notice) => void;
  /** Reads lists again. */
  changed: () => void;
  /** Shows a dialog, or none. */
  show: (dialog: ComponentChild) => void;
  logOut: () => void;
}

export const AppContext = createContext<App | undefined>(undefined);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("a part of the page is outside of the app, which is a bug");
  return app;
}

/** The filters of the page, and how one of them is changed. */
export function useFilters(): {
  filters: Filters;
  set: (changed: Filters) => void;
  of: (name: string) => string;
} {
  const { route, go } = useApp();
  return {
    filters: route.filters,
    of: (name) => route.filters[name] ?? "",
    set: (changed) =>
      go(route.page, route.subject, { ...route.filters, ...changed }, { replace: true }),
  };
}
