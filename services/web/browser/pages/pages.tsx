/** The page of each route, and its title. */
import type { Route } from "../router.ts";
import { AccountPage } from "./account-page.tsx";
import { AddressPage } from "./address-page.tsx";
import { AllowlistPage } from "./allowlist-page.tsx";
import { AuditPage } from "./audit-page.tsx";
import { BansPage } from "./bans-page.tsx";
import { FailuresPage } from "./failures-page.tsx";
import { HostPage } from "./host-page.tsx";
import { HostsPage } from "./hosts-page.tsx";
import { NowPage } from "./now-page.tsx";
import { PolicyPage } from "./policy-page.tsx";
import { Empty } from "../parts/states.tsx";
import { Link } from "../parts/link.tsx";
import { visible } from "../text/visible-text.ts";

export function PageOf({ route }: { route: Route | undefined }) {
  if (!route) return <NoSuchPage />;
  switch (route.page) {
    case "now":
    case "login":
      return <NowPage />;
    case "bans":
      return <BansPage />;
    case "address":
      return <AddressPage address={route.subject} />;
    case "failures":
      return <FailuresPage />;
    case "account":
      return <AccountPage />;
    case "hosts":
      return <HostsPage />;
    case "host":
      return <HostPage host={route.subject} />;
    case "allowlist":
      return <AllowlistPage />;
    case "audit":
      return <AuditPage />;
    case "policy":
      return <PolicyPage />;
  }
}

export function titleOf(route: Route | undefined): string {
  if (!route) return "No such page";
  const { page, subject, filters } = route;
  if (page === "account" && filters["user"]) return visible(filters["user"].slice(0, 60));
  if (subject !== "") return visible(subject);
  return page === "login" ? "Now" : page.slice(0, 1).toUpperCase() + page.slice(1);
}

function NoSuchPage() {
  return (
    <>
      <h1>No such page</h1>
      <Empty title="There is no page at this address.">
        <p>
          <Link page="now">See how the fleet is</Link>
        </p>
      </Empty>
    </>
  );
}
