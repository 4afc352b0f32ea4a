import assert from "node:assert/strict";
import { test } from "node:test";
import { basePathOf, parseRoute, pathOf } from "../../../../services/web/browser/router.ts";

const routeOf = (path: string) => {
  // As a browser would go there.
  const { pathname, search } = new URL(path, "https://bans.example.org");
  return parseRoute(pathname, search);
};

test("every page is found again by its path", () => {
  assert.deepEqual(routeOf("/"), { page: "now", subject: "", filters: {} });
  assert.deepEqual(routeOf("/hosts"), { page: "hosts", subject: "", filters: {} });
  for (const subject of ["198.51.100.7", "198.51.100.0/24", "2001:db8::/32"]) {
    const route = { page: "address", subject, filters: {} } as const;
    assert.deepEqual(routeOf(pathOf("address", subject)), route);
    // As somebody types it.
    assert.deepEqual(routeOf(`/address/${subject}`), route);
  }
});

test("filters stand in the query, and empty ones are left out", () => {
  assert.equal(pathOf("bans", "", { jail: "dovecot", by: "" }), "/bans?jail=dovecot");
  assert.deepEqual(routeOf("/bans?jail=dovecot&state=held")?.filters, {
    jail: "dovecot",
    state: "held",
  });
});

test("user names that would lead elsewhere in a path are found again", () => {
  for (const user of ["..", ".", "a/../b", "?x=1#y", "%2e%2e", "a&user=b", "<script>", "\u202e"]) {
    assert.equal(routeOf(pathOf("account", "", { user }))?.filters["user"], user);
  }
});

test("what is no page has no route", () => {
  for (const path of ["/nothing", "/now", "/bans/x", "/address/%ff", "//evil.example"]) {
    assert.equal(parseRoute(path, ""), undefined, path);
  }
});

test("the base path is what comes before the assets", () => {
  assert.equal(basePathOf("/assets/app-X.js"), "");
  assert.equal(basePathOf("/fleetban/assets/app-X.js"), "/fleetban");
});
